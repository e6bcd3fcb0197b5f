"""A decoded or cleaned image, or why there is none, as a head and raw bytes.

What a process sends back is believed only after a check.
"""

from collections import Counter
from io import BytesIO
from typing import Any

import numpy as np

from shared.domain.results.findings import Finding
from shared.errors import InputError, SeraError
from shared.imaging.deidentify import Cleaned
from shared.imaging.errors import (
    EmptyImage,
    FrameAbsent,
    ImageBrokeDecoder,
    ImageTooLarge,
    ImageTooSmall,
    ImageTruncated,
    ImageUnreadable,
    UnsupportedImage,
)
from shared.imaging.file_type import inspect
from shared.imaging.image import Box, ImageFormat, UltrasoundImage
from shared.imaging.limits import Limits
from shared.imaging.sandbox.channel import Head

REFUSALS: dict[str, type[InputError]] = {
    each.code: each
    for each in (
        EmptyImage,
        FrameAbsent,
        ImageBrokeDecoder,
        ImageTooLarge,
        ImageTooSmall,
        ImageTruncated,
        ImageUnreadable,
        UnsupportedImage,
    )
}
"""All that `decode` and `clean` may raise."""
MOST_LETTERS = 400
MOST_FINDINGS = 16
MOST_FACTS = 16
MAX_REMOVED = 10_000
"""Names of what was removed: more than the standard has."""


def image_message(image: UltrasoundImage) -> tuple[Head, memoryview]:
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


def refusal_message(refusal: SeraError) -> Head:
    return {"refused": refusal.code, "facts": refusal.facts}


def cleaned_message(cleaned: Cleaned) -> tuple[Head, bytes]:
    return {"removed": cleaned.removed}, cleaned.data


def read_image(
    head: Head, body: bytearray, limits: Limits
) -> UltrasoundImage | InputError:
    """The image or the refusal.

    Raises another error where a sound process cannot have sent it.
    """
    if "refused" in head:
        return _refusal(head)
    height, width = (int(side) for side in head["size"])
    limits.check(width, height)
    return UltrasoundImage(
        np.frombuffer(body, np.uint8).reshape(height, width),
        ImageFormat(head["format"]),
        _spacing(head["spacing_mm"]),
        _region(head["region"], Box(0, 0, width, height)),
        tuple(_finding(body) for body in head["findings"][:MOST_FINDINGS]),
    )


def read_cleaned(
    head: Head, body: bytearray, original: bytes, limits: Limits
) -> Cleaned | InputError:
    """The cleaned file or the refusal.

    Raises another error where a sound process cannot have sent it. A cleaned file has the
    format, the size and the frames of its original.
    """
    if "refused" in head:
        return _refusal(head)
    data = bytes(body)
    before = inspect(BytesIO(original), limits)
    after = inspect(BytesIO(data), limits)
    for name in ("format", "width", "height", "frames"):
        if getattr(before, name) != getattr(after, name):
            raise ValueError("a file that is not the original's")
    return Cleaned(data, _removed(head["removed"]))


def _refusal(head: Head) -> InputError:
    facts = {str(name): _plain(fact) for name, fact in head["facts"].items()}
    return REFUSALS[head["refused"]](**facts)


def _removed(counts: Any) -> Counter[str]:
    removed: Counter[str] = Counter()
    for name, count in list(counts.items())[:MAX_REMOVED]:
        if not isinstance(count, int) or count < 1:
            raise ValueError("a count that cannot be")
        removed[_text(name)] = count
    return removed


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
