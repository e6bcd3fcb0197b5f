"""The jobs of a sandbox process: decode an image, or de-identify a file."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Generic, TypeVar

from shared.errors import InputError
from shared.imaging.decode import decode
from shared.imaging.deidentify import CleanedFile, clean
from shared.imaging.image import UltrasoundImage
from shared.imaging.limits import Limits
from shared.imaging.sandbox.channel import Head
from shared.imaging.sandbox.wire import (
    cleaned_message,
    image_message,
    read_cleaned,
    read_image,
    refusal_message,
)

DECODE = "decode"
CLEAN = "clean"
Result = TypeVar("Result")


@dataclass(frozen=True)
class Job(Generic[Result]):
    """A request with its file.

    `read_result` returns the result, or the InputError that refuses the file. It raises another
    error for a message that a process can only have sent if the file took it over. If `reusable` is
    False, the process ends after the job, so that it never holds files of two hospitals.
    """

    request: Head
    data: bytes
    max_result_bytes: int
    read_result: Callable[[Head, bytearray], Result | InputError]
    reusable: bool = True


def decode_job(data: bytes, frame: int | None, limits: Limits) -> Job[UltrasoundImage]:
    """Return a job that runs `shared.imaging.decode`."""
    return Job(
        request={"job": DECODE, "limits": asdict(limits), "frame": frame},
        data=data,
        max_result_bytes=limits.max_pixels,
        read_result=partial(read_image, limits=limits),
    )


def clean_job(data: bytes, key: bytes, limits: Limits) -> Job[CleanedFile]:
    """Return a job that runs `shared.imaging.deidentify.clean`."""
    return Job(
        request={"job": CLEAN, "limits": asdict(limits), "key": key.hex()},
        data=data,
        max_result_bytes=(limits.max_inflated_mib << 20) + len(data),
        read_result=partial(read_cleaned, original=data, limits=limits),
        reusable=False,
    )


def do_job(request: Head, data: bytes) -> tuple[Head, bytes | memoryview]:
    """Do the job, and return the head and body of the result.

    An error other than InputError is not caught. It ends the process, and the pool notices the end.
    """
    limits = Limits(**request["limits"])
    try:
        if request["job"] == CLEAN:
            key = bytes.fromhex(request["key"])
            return cleaned_message(clean(data, key, limits))
        return image_message(decode(data, limits, request["frame"]))
    except InputError as refusal:
        return refusal_message(refusal), b""
