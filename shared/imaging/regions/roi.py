"""The region of interest a reader drew: a box or a polygon, in pixels of the upright image."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.imaging.errors import RoiInvalid, RoiOutsideImage, RoiTooSmall
from shared.imaging.image import Box

MIN_SIDE_PX = 8
MAX_POINTS = 10_000
FARTHEST_PX = 1e6
"""Coordinates beyond any image that is let in; keeps later arithmetic in range."""
SUBPIXEL_BITS = 4

Point = tuple[float, float]


@dataclass(frozen=True)
class Roi:
    """Either the four numbers of `box` (x, y, width, height) or the points (x, y) of `polygon`, in pixels."""

    box: tuple[float, float, float, float] | None = None
    polygon: tuple[Point, ...] | None = None

    @classmethod
    def parse(cls, sent: str | Mapping[str, object]) -> Self:
        """Read `{"box": [x, y, w, h]}` or `{"polygon": [[x, y], ...]}`, as JSON text or already parsed.

        Raises
        ------
        RoiInvalid
            for anything else: other keys, numbers that are not finite, a polygon without area.
        RoiTooSmall
            below `MIN_SIDE_PX` a side.
        """
        fields = _parse_json(sent) if isinstance(sent, str) else sent
        if not isinstance(fields, Mapping) or set(fields) not in ({"box"}, {"polygon"}):
            raise RoiInvalid(
                problem="it needs either `box` or `polygon`, and nothing else"
            )
        if "box" in fields:
            x, y, width, height = _numbers(fields["box"], 4)
            roi = cls(box=(x, y, width, height))
        else:
            roi = cls(polygon=_points(fields["polygon"]))
        roi._check_size()
        return roi

    @classmethod
    def from_mask(cls, mask: NDArray[np.bool_]) -> Self:
        """Outline of the largest connected part of a mask (height, width), its holes filled.

        Raises
        ------
        RoiInvalid, RoiTooSmall
        """
        outlines, _ = cv2.findContours(
            mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE
        )
        if not outlines:
            raise RoiInvalid(problem="the mask is empty")
        largest = max(outlines, key=cv2.contourArea).reshape(-1, 2)
        roi = cls(polygon=tuple((float(x), float(y)) for x, y in largest))
        roi._check_size()
        return roi

    @property
    def bounds(self) -> Box:
        """The least box of whole pixels that holds the ROI."""
        if self.box:
            x, y, width, height = self.box
            left = math.floor(x)
            top = math.floor(y)
            right = math.ceil(x + width)
            bottom = math.ceil(y + height)
        else:
            xs, ys = zip(*self._corners, strict=True)
            left = math.floor(min(xs))
            top = math.floor(min(ys))
            right = _past(max(xs))
            bottom = _past(max(ys))
        return Box(left, top, right - left, bottom - top)

    def check_inside(self, width: int, height: int) -> None:
        """Refuse an ROI that reaches beyond an image of that size (`RoiOutsideImage`)."""
        if self.box:
            x, y, box_width, box_height = self.box
            left = x
            top = y
            right = x + box_width
            bottom = y + box_height
        else:
            xs, ys = zip(*self._corners, strict=True)
            left = min(xs)
            top = min(ys)
            right = max(xs)
            bottom = max(ys)
        if left < 0 or top < 0 or right > width or bottom > height:
            raise RoiOutsideImage(roi=self._described(), width=width, height=height)

    def mask(self, frame: Box) -> NDArray[np.bool_]:
        """The ROI's pixels inside `frame`, (frame.height, frame.width) bool.

        A polygon's corners are pixel centres and its outline belongs to it, so that a mask turned into an ROI and back
        stays the same.
        """
        canvas = np.zeros((frame.height, frame.width), np.uint8)
        if self.box:
            inner = self.bounds
            top = inner.y - frame.y
            left = inner.x - frame.x
            canvas[
                max(top, 0) : top + inner.height, max(left, 0) : left + inner.width
            ] = 1
        else:
            corners = (np.array(self._corners) - (frame.x, frame.y)) * 2**SUBPIXEL_BITS
            cv2.fillPoly(
                canvas, [np.rint(corners).astype(np.int32)], 1, shift=SUBPIXEL_BITS
            )
        return canvas.astype(bool)

    def to_json(self) -> str:
        """The text that `parse` reads."""
        return json.dumps(
            {"box": self.box} if self.box else {"polygon": self.polygon},
            separators=(",", ":"),
        )

    def _described(self) -> str:
        return (
            self.to_json()
            if self.box or len(self._corners) <= 4
            else f"polygon of {len(self._corners)} points"
        )

    @property
    def _corners(self) -> tuple[Point, ...]:
        """The points of the polygon; none of a box."""
        return self.polygon or ()

    def _check_size(self) -> None:
        bounds = self.bounds
        if min(bounds.width, bounds.height) < MIN_SIDE_PX:
            raise RoiTooSmall(
                width=bounds.width, height=bounds.height, min_side_px=MIN_SIDE_PX
            )
        if self.polygon and abs(_shoelace(self.polygon)) < MIN_SIDE_PX**2 / 4:
            raise RoiInvalid(
                problem="the polygon encloses next to nothing, or crosses itself"
            )


def _past(furthest: float) -> int:
    """The pixel after the one that holds a coordinate."""
    return math.floor(furthest) + 1


def _parse_json(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise RoiInvalid(problem="it is not JSON") from None


def _numbers(sent: object, count: int) -> tuple[float, ...]:
    if not isinstance(sent, list | tuple) or len(sent) != count:
        raise RoiInvalid(problem=f"expected {count} numbers")
    return tuple(_number(value) for value in sent)


def _number(value: object) -> float:
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not abs(value) <= FARTHEST_PX
    ):
        raise RoiInvalid(problem="a coordinate is not a finite number of pixels")
    return float(value)


def _points(sent: object) -> tuple[Point, ...]:
    if not isinstance(sent, list | tuple) or not 3 <= len(sent) <= MAX_POINTS:
        raise RoiInvalid(problem=f"a polygon has 3 to {MAX_POINTS} points")
    return tuple(_point(point) for point in sent)


def _point(sent: object) -> Point:
    x, y = _numbers(sent, 2)
    return x, y


def _shoelace(points: tuple[Point, ...]) -> float:
    """Signed area in pixels of the polygon."""
    x, y = np.array(points).T
    return float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2
