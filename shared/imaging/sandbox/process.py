"""`python -m shared.imaging.sandbox.process`: does the jobs that arrive on file descriptor 0.

The process limits its own memory and file access, and ends when file descriptor 0 is closed.
"""

import ctypes
import os
import resource
import signal
import socket
import sys
from contextlib import suppress

import psutil
from pydicom.pixels import get_decoder, get_encoder
from pydicom.uid import JPEG2000, JPEG2000Lossless, JPEGBaseline8Bit, RLELossless

from shared.imaging.sandbox.channel import Channel
from shared.imaging.sandbox.jobs import do_job

PR_SET_PDEATHSIG = 1
MAX_FILE_BYTES = 2**30


def main() -> None:
    """Report readiness, then do one job after the other."""
    end_with_parent()
    preload_decoders()
    channel = Channel(socket.socket(fileno=0))
    memory_mib = int(sys.argv[1])
    drop_rights(memory_mib)
    channel.send({"ready": True})
    with suppress(ConnectionError):  # the pool closed the channel, or its process ended
        while True:
            request, data = channel.receive(MAX_FILE_BYTES)
            signal.setitimer(signal.ITIMER_REAL, request["seconds"])
            head, body = do_job(request, bytes(data))
            channel.send(head, body)
            signal.setitimer(signal.ITIMER_REAL, 0)


def end_with_parent() -> None:
    """End when the parent process ends.

    SIGINT and SIGTERM are ignored. They are meant for the parent, which may still wait for the
    current image.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def preload_decoders() -> None:
    """Load the decoders that the libraries would otherwise load with the first image."""
    for syntax in (JPEGBaseline8Bit, JPEG2000, RLELossless):
        get_decoder(syntax).is_available  # noqa: B018 (the attribute loads it)
    get_encoder(JPEG2000Lossless).is_available  # noqa: B018 (the same)


def drop_rights(memory_mib: int) -> None:
    """Limit memory, forbid writing files and core dumps, and discard output."""
    max_bytes = psutil.Process().memory_info().vms + (memory_mib << 20)
    resource.setrlimit(resource.RLIMIT_AS, (max_bytes, max_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, 1)
    os.dup2(devnull, 2)


if __name__ == "__main__":
    main()
