"""The jobs of a sandbox process: decode or check an image, or de-identify a file or a mask."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, astuple, dataclass
from functools import partial
from typing import Generic, TypeVar

from shared.errors import InputError
from shared.imaging.decode import decode
from shared.imaging.deidentify import (
    CleanedFile,
    clean_and_paint,
    clean_mask,
)
from shared.imaging.deidentify.text_blanking import has_text_beside_tissue
from shared.imaging.image import Box, UltrasoundImage
from shared.imaging.limits import Limits
from shared.imaging.sandbox.checked import CheckedImage
from shared.imaging.sandbox.wire import (
    checked_message,
    cleaned_message,
    image_message,
    read_checked,
    read_cleaned,
    read_cleaned_mask,
    read_image,
    refusal_message,
)
from shared.sandbox.channel import Head

DECODE = "decode"
CHECK = "check"
CLEAN = "clean"
CLEAN_MASK = "clean-mask"
MAX_PNG_OVERHEAD_BYTES = 2**20
"""A PNG of noise is a little larger than its pixels."""
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


def check_job(
    data: bytes, frame: int | None, limits: Limits, find_text: bool
) -> Job[CheckedImage]:
    """Return a job that runs `shared.imaging.decode` and does not return the pixels."""
    return Job(
        request={
            "job": CHECK,
            "limits": asdict(limits),
            "frame": frame,
            "find_text": find_text,
        },
        data=data,
        max_result_bytes=0,
        read_result=partial(read_checked, limits=limits),
    )


def clean_job(
    data: bytes,
    key: bytes,
    limits: Limits,
    *,
    blanks_text: bool = False,
    covers: Sequence[Box] = (),
) -> Job[CleanedFile]:
    """Return a job that runs `shared.imaging.deidentify.clean_and_paint`.

    What is painted may become a PNG.
    """
    return Job(
        request={
            "job": CLEAN,
            "limits": asdict(limits),
            "key": key.hex(),
            "blanks_text": blanks_text,
            "covers": [astuple(box) for box in covers],
        },
        data=data,
        max_result_bytes=(limits.max_inflated_mib << 20) + len(data),
        read_result=partial(
            read_cleaned,
            original=data,
            limits=limits,
            may_be_png=blanks_text or bool(covers),
        ),
        reusable=False,
    )


def clean_mask_job(
    data: bytes, width: int, height: int, limits: Limits
) -> Job[CleanedFile]:
    """Return a job that runs `shared.imaging.deidentify.clean_mask`."""
    return Job(
        request={
            "job": CLEAN_MASK,
            "limits": asdict(limits),
            "width": width,
            "height": height,
        },
        data=data,
        max_result_bytes=limits.max_pixels + MAX_PNG_OVERHEAD_BYTES + len(data),
        read_result=partial(
            read_cleaned_mask, width=width, height=height, limits=limits
        ),
    )


def do_job(request: Head, data: bytes) -> tuple[Head, bytes | memoryview]:
    """Do the job, and return the head and body of the result.

    An error other than InputError is not caught. It ends the process, and the pool notices the end.
    """
    limits = Limits(**request["limits"])
    try:
        if request["job"] == CLEAN:
            key = bytes.fromhex(request["key"])
            covers = [Box(*box) for box in request["covers"]]
            blanks_text = request["blanks_text"]
            return cleaned_message(
                clean_and_paint(
                    data, key, limits, blanks_text=blanks_text, covers=covers
                )
            )
        if request["job"] == CLEAN_MASK:
            width, height = request["width"], request["height"]
            return cleaned_message(clean_mask(data, width, height, limits))
        image = decode(data, limits, request["frame"])
        if request["job"] == CHECK:
            return checked_message(_checked(image, request["find_text"])), b""
        return image_message(image)
    except InputError as refusal:
        return refusal_message(refusal), b""


def _checked(image: UltrasoundImage, find_text: bool) -> CheckedImage:
    height, width = image.pixels.shape
    return CheckedImage(
        width=width,
        height=height,
        findings=image.findings,
        has_text_beside_tissue=find_text and has_text_beside_tissue(image),
    )
