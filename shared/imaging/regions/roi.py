"""The region of interest: a box or a polygon, in pixels of the upright image; and a click."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.domain.strict_json import KeyRepeated, NotFinite, load_json
from shared.imaging.errors import RoiInvalid, RoiOutsideImage, RoiTooSmall
from shared.imaging.image import Box

MIN_SIDE_PX = 8
MAX_POINTS = 10_000
MAX_COORDINATE_PX = 1e6
"""Larger than any accepted image. The bound keeps later arithmetic in range."""
SUBPIXEL_BITS = 4

Point = tuple[float, float]
RealBox = tuple[float, float, float, float]
"""Left, top, width and height in pixels; not necessarily whole ones."""


@dataclass(frozen=True)
class Roi:
    """A box or a polygon, in pixels; exactly one of the two is set.

    Attributes
    ----------
    box : x, y, width, height
    polygon : points (x, y)
    """

    box: RealBox | None = None
    polygon: tuple[Point, ...] | None = None

    @classmethod
    def parse(cls, source: str | Mapping[str, object]) -> Self:
        """Read `{"box": [x, y, w, h]}` or `{"polygon": [[x, y], ...]}`.

        `source` is JSON text or a parsed object.

        Raises
        ------
        RoiInvalid
            for anything else: other keys, numbers that are not finite, a polygon without area.
        RoiTooSmall
            if a side is shorter than `MIN_SIDE_PX`.
        """
        fields = _parse_json(source) if isinstance(source, str) else source
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
        """Return the outline of the largest connected part of a mask (height, width), with holes
        filled.

        Raises
        ------
        RoiInvalid, RoiTooSmall
        """
        outlines, _ = cv2.findContours(
            mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE
        )
        if not outlines:
            raise RoiInvalid(problem="the mask is empty")
        return cls.from_outline(max(outlines, key=cv2.contourArea).reshape(-1, 2))

    @classmethod
    def from_outline(cls, points: NDArray[np.number]) -> Self:
        """Return the polygon of the outer pixels of a part of a mask, (N, 2) x and y.

        Raises
        ------
        RoiInvalid, RoiTooSmall
        """
        roi = cls(polygon=tuple((float(x), float(y)) for x, y in points))
        roi._check_size()
        return roi

    @property
    def bounds(self) -> Box:
        """The smallest box of whole pixels that contains the ROI."""
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
            right = math.floor(max(xs)) + 1
            bottom = math.floor(max(ys)) + 1
        return Box(x=left, y=top, width=right - left, height=bottom - top)

    @property
    def real_box(self) -> RealBox:
        """The box itself, or the smallest box of whole pixels around the polygon."""
        if self.box:
            return self.box
        bounds = self.bounds
        return bounds.x, bounds.y, bounds.width, bounds.height

    @property
    def outline_points(self) -> tuple[Point, ...]:
        """The points of the polygon, or the corners of the box, clockwise from the upper left."""
        if self.box is None:
            return self._corners
        x, y, width, height = self.box
        return ((x, y), (x + width, y), (x + width, y + height), (x, y + height))

    def shifted(self, right: float, down: float) -> "Roi":
        """Return the ROI moved by this many pixels."""
        if self.box:
            x, y, width, height = self.box
            return Roi(box=(x + right, y + down, width, height))
        return Roi(polygon=tuple((x + right, y + down) for x, y in self._corners))

    def check_inside(self, width: int, height: int) -> None:
        """Check that the ROI lies inside an image of `width` x `height` pixels.

        Raises
        ------
        RoiOutsideImage
        """
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
            raise RoiOutsideImage(roi=self._description(), width=width, height=height)

    def mask(self, crop_box: Box) -> NDArray[np.bool_]:
        """Return the ROI's pixels inside a crop, (crop_box.height, crop_box.width) bool.

        A box stands for the ellipse inside it: nodules are round, and its corners are tissue
        beside the nodule. A polygon's corners are pixel centres, and its outline belongs to it.
        Therefore a mask that becomes an ROI and then a mask again stays the same.
        """
        if self.box:
            return _ellipse(self.box, crop_box)
        canvas = np.zeros((crop_box.height, crop_box.width), np.uint8)
        corners = np.array(self._corners) - (crop_box.x, crop_box.y)
        fixed_point = np.rint(corners * 2**SUBPIXEL_BITS).astype(np.int32)
        cv2.fillPoly(canvas, [fixed_point], 1, shift=SUBPIXEL_BITS)
        return canvas.astype(bool)

    def to_fields(self) -> dict[str, object]:
        """Return the values of `to_json`."""
        fields: dict[str, object] = json.loads(self.to_json())
        return fields

    def to_json(self) -> str:
        """Return the text that `parse` reads."""
        fields = {"box": self.box} if self.box else {"polygon": self.polygon}
        return json.dumps(fields, separators=(",", ":"))

    def _description(self) -> str:
        if self.box or len(self._corners) <= 4:
            return self.to_json()
        return f"polygon of {len(self._corners)} points"

    @property
    def _corners(self) -> tuple[Point, ...]:
        """The points of the polygon; empty for a box."""
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


@dataclass(frozen=True)
class Click:
    """A point inside a nodule, in pixels; the middle of the first pixel is (0.5, 0.5)."""

    x: float
    y: float

    @classmethod
    def parse(cls, fields: Mapping[str, object]) -> Self:
        """Read `{"point": [x, y]}`. Raises `RoiInvalid` for anything else."""
        if set(fields) != {"point"}:
            raise RoiInvalid(problem="it needs `point`, and nothing else")
        x, y = _point(fields["point"])
        return cls(x=x, y=y)

    def shifted(self, right: float, down: float) -> "Click":
        """Return the point moved by this many pixels."""
        return Click(x=self.x + right, y=self.y + down)

    def is_inside(self, box: Box) -> bool:
        """Whether the point lies in a box, its edges included."""
        is_across = box.x <= self.x <= box.x + box.width
        return is_across and box.y <= self.y <= box.y + box.height

    def check_inside(self, width: int, height: int) -> None:
        """Check that the point lies inside an image of `width` x `height` pixels.

        Raises
        ------
        RoiOutsideImage
        """
        if not self.is_inside(Box(x=0, y=0, width=width, height=height)):
            raise RoiOutsideImage(roi=self.to_json(), width=width, height=height)

    def to_json(self) -> str:
        """Return the text that `parse_prompt` reads."""
        return json.dumps({"point": (self.x, self.y)}, separators=(",", ":"))


Prompt = Roi | Click
"""Where a nodule is that is to be outlined."""


def parse_prompt(source: str | Mapping[str, object]) -> Prompt:
    """Read an ROI as `Roi.parse` does, or a click: `{"point": [x, y]}`.

    Raises
    ------
    RoiInvalid, RoiTooSmall
    """
    fields = _parse_json(source) if isinstance(source, str) else source
    if isinstance(fields, Mapping) and "point" in fields:
        return Click.parse(fields)
    return Roi.parse(source)


def _ellipse(box: RealBox, crop_box: Box) -> NDArray[np.bool_]:
    """Return the pixels of a crop whose centre is in the ellipse that a box encloses."""
    left, top, width, height = box
    columns = crop_box.x + np.arange(crop_box.width) + 0.5
    rows = crop_box.y + np.arange(crop_box.height) + 0.5
    x = (columns - left) / width * 2 - 1
    y = (rows - top) / height * 2 - 1
    return np.asarray(np.hypot(x, y[:, np.newaxis]) <= 1)


def _parse_json(text: str) -> object:
    try:
        return load_json(text)
    except (KeyRepeated, NotFinite) as error:
        raise RoiInvalid(problem=str(error)) from None
    except (ValueError, RecursionError):
        raise RoiInvalid(problem="it is not JSON") from None


def _numbers(values: object, count: int) -> tuple[float, ...]:
    if not isinstance(values, list | tuple) or len(values) != count:
        raise RoiInvalid(problem=f"expected {count} numbers")
    return tuple(_number(value) for value in values)


def _number(value: object) -> float:
    error = RoiInvalid(problem="a coordinate is not a finite number of pixels")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise error
    if not abs(value) <= MAX_COORDINATE_PX:
        raise error
    return float(value)


def _points(values: object) -> tuple[Point, ...]:
    if not isinstance(values, list | tuple) or not 3 <= len(values) <= MAX_POINTS:
        raise RoiInvalid(problem=f"a polygon has 3 to {MAX_POINTS} points")
    return tuple(_point(value) for value in values)


def _point(value: object) -> Point:
    x, y = _numbers(value, 2)
    return x, y


def _shoelace(points: tuple[Point, ...]) -> float:
    """Return the signed area in pixels of the polygon."""
    x, y = np.array(points).T
    return float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2
