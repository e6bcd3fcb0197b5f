"""The process's side of a sandbox: confines itself, then answers requests on file descriptor 0."""

import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress

from shared.sandbox.channel import Channel, Head
from shared.sandbox.confinement import confine, missing_mechanisms
from shared.sandbox.libc import PR_SET_PDEATHSIG, set_process_option

MAX_REQUEST_BYTES = 2**32 - 1
"""What the length of a message can state. The launcher is trusted; it limits what it sends."""
Answer = Callable[[Head, bytes], tuple[Head, bytes | memoryview]]
"""Does a request, and returns the head and body of its result.

An error ends the process, and the launcher notices the end.
"""


def serve(answer: Answer) -> None:
    """Confine this process, report readiness, then do one request after the other.

    The argument of the command is the memory limit in MiB. Whatever `answer` needs must be loaded
    before, except Python modules. The process ends when file descriptor 0 is closed.
    """
    _end_with_parent()
    channel = Channel(socket.socket(fileno=0))
    missing = missing_mechanisms()
    confine(memory_mib=int(sys.argv[1]))
    channel.send({"missing": list(missing)})
    with suppress(ConnectionError):  # the launcher closed the channel, or ended
        while True:
            request, data = channel.receive(MAX_REQUEST_BYTES)
            signal.setitimer(signal.ITIMER_REAL, request["seconds"])
            head, body = answer(request, bytes(data))
            channel.send(head, body)
            signal.setitimer(signal.ITIMER_REAL, 0)


def _end_with_parent() -> None:
    """End when the parent process ends.

    SIGINT and SIGTERM are ignored. They are meant for the parent, which may still wait for the
    current request.
    """
    if sys.platform == "linux":
        set_process_option(PR_SET_PDEATHSIG, signal.SIGKILL)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
