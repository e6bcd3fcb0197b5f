"""A decoded image, or why there is none, as a head and raw bytes; what comes back is believed only after a check."""

from typing import Any

import numpy as np

from shared.domain.results.findings import Finding
from shared.errors import InputError, SeraError
from shared.imaging.decoders.channel import Head
from shared.imaging.errors import (
    EmptyImage,
    FrameAbsent,
    ImageBrokeDecoder,
    ImageTooLarge,
    ImageTooSmall,
    ImageUnreadable,
    UnsupportedImage,
)
from shared.imaging.image import Box, ImageFormat, UltrasoundImage
from shared.imaging.limits import Limits

REFUSALS: dict[str, type[InputError]] = {
    each.code: each
    for each in (
        EmptyImage,
        FrameAbsent,
        ImageBrokeDecoder,
        ImageTooLarge,
        ImageTooSmall,
        ImageUnreadable,
        UnsupportedImage,
    )
}
"""All that `decode` may raise."""
MOST_LETTERS = 400
MOST_FINDINGS = 16
MOST_FACTS = 16


def image_told(image: UltrasoundImage) -> tuple[Head, memoryview]:
    """Head and pixels of an image."""
    box = image.region
    head = {
        "format": image.format,
        "size": image.pixels.shape,
        "spacing_mm": image.spacing_mm,
        "region": box and [box.x, box.y, box.width, box.height],
        "findings": [finding.to_json() for finding in image.findings],
    }
    return head, np.ascontiguousarray(image.pixels).data.cast("B")


def refusal_told(refusal: SeraError) -> Head:
    return {"refused": refusal.code, "facts": refusal.facts}


def understood(
    head: Head, body: bytearray, limits: Limits
) -> UltrasoundImage | InputError:
    """The image, or the error, that was told; raises something else where a sound decoder cannot have told it."""
    if "refused" in head:
        return REFUSALS[head["refused"]](
            **{str(name): _plain(fact) for name, fact in head["facts"].items()}
        )
    height, width = (int(side) for side in head["size"])
    limits.check(width, height)
    return UltrasoundImage(
        np.frombuffer(body, np.uint8).reshape(height, width),
        ImageFormat(head["format"]),
        _spacing(head["spacing_mm"]),
        _region(head["region"], Box(0, 0, width, height)),
        tuple(_finding(body) for body in head["findings"][:MOST_FINDINGS]),
    )


def _finding(body: Any) -> Finding:
    facts = list(body["facts"].items())[:MOST_FACTS]
    return Finding(
        code=_text(body["code"]),
        message=_text(body["message"]),
        facts={_text(name): _plain(fact) for name, fact in facts},
    )


def _spacing(told: Any) -> tuple[float, float] | None:
    if told is None:
        return None
    rows_mm, columns_mm = (float(each) for each in told)
    if not (0 < rows_mm < np.inf and 0 < columns_mm < np.inf):
        raise ValueError("a spacing that cannot be")
    return rows_mm, columns_mm


def _region(told: Any, whole: Box) -> Box | None:
    if told is None:
        return None
    box = Box(*(int(each) for each in told))
    if min(box.width, box.height) < 1 or not whole.holds(box):
        raise ValueError("a region outside the image")
    return box


def _plain(fact: Any) -> str | int | float:
    return fact if isinstance(fact, int | float) else _text(fact)


def _text(told: Any) -> str:
    if not isinstance(told, str):
        raise TypeError("not a text")
    return told[:MOST_LETTERS]
