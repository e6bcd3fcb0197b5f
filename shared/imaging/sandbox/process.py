"""`python -m shared.imaging.sandbox.process`: does the jobs that come in by fd 0.

It stays within its bounds and ends when fd 0 is closed.
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
from shared.imaging.sandbox.jobs import answer

PR_SET_PDEATHSIG = 1
MOST_FILE = 2**30


def main() -> None:
    """Say that it is ready, then answer one request after the other."""
    end_with_the_worker()
    get_ready()
    channel = Channel(socket.socket(fileno=0))
    memory_mib = int(sys.argv[1])
    give_up_rights(memory_mib)
    channel.send({"ready": True})
    with suppress(ConnectionError):  # the worker is gone, or wants no more of it
        while True:
            request, data = channel.receive(MOST_FILE)
            signal.setitimer(signal.ITIMER_REAL, request["seconds"])
            channel.send(*answer(request, bytes(data)))
            signal.setitimer(signal.ITIMER_REAL, 0)


def end_with_the_worker() -> None:
    """Die when it dies, and by no signal that is meant for it: it may still want the image that is being decoded."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    for meant_for_the_worker in (signal.SIGINT, signal.SIGTERM):
        signal.signal(meant_for_the_worker, signal.SIG_IGN)


def get_ready() -> None:
    """Load what the libraries would load with the first image of a kind."""
    for syntax in (JPEGBaseline8Bit, JPEG2000, RLELossless):
        get_decoder(syntax).is_available  # noqa: B018 (looking is what loads it)
    get_encoder(JPEG2000Lossless).is_available  # noqa: B018 (the same)


def give_up_rights(memory_mib: int) -> None:
    """No more memory than an image may take, no file to write to, no core file, and nobody to tell what it reads."""
    most = psutil.Process().memory_info().vms + (memory_mib << 20)
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)


if __name__ == "__main__":
    main()
