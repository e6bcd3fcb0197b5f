"""`python -m shared.imaging.decoders.process`: decodes what comes in by fd 0, within bounds, until that is closed."""

import ctypes
import os
import resource
import signal
import socket
import sys
from contextlib import suppress

import psutil
from pydicom.pixels import get_decoder
from pydicom.uid import JPEG2000, JPEGBaseline8Bit, RLELossless

from shared.errors import InputError
from shared.imaging.decode import decode
from shared.imaging.decoders.channel import Channel, Head
from shared.imaging.decoders.wire import image_told, refusal_told
from shared.imaging.limits import Limits

PR_SET_PDEATHSIG = 1
MOST_FILE = 2**30


def main() -> None:
    """Say that it is ready, then answer one image after the other."""
    end_with_the_worker()
    get_ready()
    channel = Channel(socket.socket(fileno=0))
    memory_mib = int(sys.argv[1])
    give_up_rights(memory_mib)
    channel.send({"ready": True})
    with suppress(ConnectionError):  # the worker is gone, or wants no more of it
        while True:
            asked, data = channel.receive(MOST_FILE)
            signal.setitimer(signal.ITIMER_REAL, asked["seconds"])
            channel.send(*answer(bytes(data), asked))
            signal.setitimer(signal.ITIMER_REAL, 0)


def answer(data: bytes, asked: Head) -> tuple[Head, memoryview]:
    """The image, or why there is none. Whatever else is thrown ends the process, which tells the worker enough."""
    try:
        return image_told(decode(data, Limits(**asked["limits"]), asked["frame"]))
    except InputError as refusal:
        return refusal_told(refusal), memoryview(b"")


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
