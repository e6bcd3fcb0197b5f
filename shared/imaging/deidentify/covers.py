"""Areas that a sender has blackened in an image before it is stored."""

import math
from collections.abc import Sequence

from shared.domain.results.findings import Finding
from shared.domain.strict_json import load_json
from shared.errors import InputError
from shared.imaging.image import Box

MAX_COVERS = 20
"""Our own choice, without a source: a screen has a few lines of text."""
AREA_COVERED = "area-covered"
COVERED = Finding(
    AREA_COVERED, "The sender had areas of the image blackened before it was stored."
)


class CoversInvalid(InputError):
    code = "covers-invalid"
    text = (
        "The areas to blacken cannot be read: {problem}. Send [[x,y,w,h],...] in pixels of the "
        "upright image, at most {limit} of them."
    )


class CoverFailed(InputError):
    code = "cover-failed"
    text = (
        "The areas cannot be blackened without changing the rest of the image, so nothing was "
        "stored. Blacken them in the scanner's own export and send that."
    )


def parse_covers(text: str) -> tuple[Box, ...]:
    """Read `[[x, y, width, height], ...]`; each box is enlarged to whole pixels.

    Raises
    ------
    CoversInvalid
    """
    try:
        boxes = load_json(text)
    except (ValueError, RecursionError):
        raise _invalid("it is not JSON") from None
    if not isinstance(boxes, list) or not 1 <= len(boxes) <= MAX_COVERS:
        raise _invalid("it is no list of boxes, or too long")
    return tuple(_box(box) for box in boxes)


def check_inside(covers: Sequence[Box], width: int, height: int) -> None:
    """Raise CoversInvalid if a box reaches out of an image of `width` x `height` pixels."""
    picture = Box(x=0, y=0, width=width, height=height)
    if not all(picture.contains(box) for box in covers):
        raise _invalid(f"a box reaches out of the image ({width} x {height})")


def _box(value: object) -> Box:
    if not isinstance(value, list) or len(value) != 4:
        raise _invalid("a box has four numbers")
    if not all(type(number) in (int, float) for number in value):
        raise _invalid("a box has four numbers")
    x, y, width, height = value
    if min(x, y) < 0 or min(width, height) <= 0:
        raise _invalid("a box lies in the image and is not empty")
    left = math.floor(x)
    top = math.floor(y)
    right = math.ceil(x + width)
    bottom = math.ceil(y + height)
    return Box(x=left, y=top, width=right - left, height=bottom - top)


def _invalid(problem: str) -> CoversInvalid:
    return CoversInvalid(problem=problem, limit=MAX_COVERS)
