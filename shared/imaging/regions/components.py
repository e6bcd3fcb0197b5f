"""Chooses the part of a mask that is the nodule, or says why none can be."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.domain.results.findings import Finding
from shared.imaging.errors import MaskUnclear
from shared.imaging.regions.roi import MIN_SIDE_PX, Roi

Inside = NDArray[np.bool_]

MIN_RADIUS_PX = 3.0
MIN_SOLIDITY = 0.4
MAX_SPAN = 0.9
MAX_EDGE_SHARE = 0.5
"""Bounds of a nodule: radius of the largest circle inside, area as a share of the convex hull,
share of the picture's width and height that it may span both, and share of each of two opposite
edges that it may cover.

Of 787 masks of DDTI none was below 4 pixels or 0.8, none spanned more than 0.85 or covered more
than 0.37, and none had a hole of more than a few pixels.
"""
CORNER_SHARE = 0.03
MIN_CORNERS = 2
"""Side of a corner, as a share of the shorter side, and how many corners an inverted mask fills: the
nodule may lie over others."""
MIN_HOLE_RADIUS_PX = MIN_SIDE_PX / 2
MIN_HOLE_IN_LINES = 4
"""A drawn outline encloses a hole that is wider than its line by this factor."""
MIN_INVERTED_SHARE = 0.25
"""Smallest share of the picture that an inverted mask covers, with its hole."""
MIN_RECTANGLE = 0.95
"""Area as a share of the bounding box. An ellipse has 0.79, no nodule of DDTI more than 0.89."""
MAX_COMPONENTS = 1000
"""A mask of more parts is noise; those of DDTI have up to 3."""

MASK_HOLE = Finding(
    "mask-hole",
    "The mask leaves out a hole in what it marks; the hole was read as a part of the nodule. "
    "If the hole is the nodule, send the mask inverted.",
)


@dataclass(frozen=True, eq=False)
class _Component:
    """A connected part of a mask.

    Attributes
    ----------
    outline : (N, 2) its outer pixels, x and y
    """

    outline: NDArray[np.int32]

    @cached_property
    def bounds(self) -> Sequence[int]:
        """Left, top, width and height in pixels."""
        return cv2.boundingRect(self.outline)

    @cached_property
    def area(self) -> float:
        return cv2.contourArea(self.outline)

    @cached_property
    def hull_area(self) -> float:
        return cv2.contourArea(cv2.convexHull(self.outline))

    @property
    def is_solid(self) -> bool:
        return self.area >= MIN_SOLIDITY * self.hull_area

    @property
    def size(self) -> float:
        """Area in pixels; of a line that is not closed the area that it would enclose."""
        return self.area if self.is_solid else self.hull_area

    @property
    def is_speck(self) -> bool:
        return min(self.bounds[2:]) < MIN_SIDE_PX

    @property
    def is_rectangle(self) -> bool:
        _, _, width, height = self.bounds
        return self.area >= MIN_RECTANGLE * (width - 1) * (height - 1)

    @property
    def is_nodule(self) -> bool:
        """Whether it is large and solid enough to be a nodule beside a larger one."""
        if self.is_speck or not self.is_solid or self.is_rectangle:
            return False
        return self.area >= MIN_SIDE_PX**2

    def roi(self) -> Roi:
        """Return its outline as an ROI. Raises RoiInvalid, RoiTooSmall."""
        return Roi.from_outline(self.outline.reshape(-1, 2))

    def corner_count(self) -> int:
        """Return how many corners of its bounds it fills. What is round fills none."""
        filled = self.filled()
        side = max(round(CORNER_SHARE * min(filled.shape)), 1)
        corners = (
            filled[rows, columns]
            for rows in (slice(side), slice(-side, None))
            for columns in (slice(side), slice(-side, None))
        )
        return sum(bool(corner.all()) for corner in corners)

    def filled(self) -> Inside:
        """Return its pixels and those that it encloses, (height, width) of its bounds."""
        left, top, width, height = self.bounds
        canvas = np.zeros((height, width), np.uint8)
        cv2.drawContours(
            canvas, [self.outline], -1, 1, cv2.FILLED, offset=(-left, -top)
        )
        return canvas.astype(bool)


@dataclass(frozen=True)
class MarkedNodules:
    """What a mask marks.

    Attributes
    ----------
    roi : the outline of the largest part
    other_rois : outlines of the other parts that are large enough for a nodule
    """

    roi: Roi
    other_rois: tuple[Roi, ...]
    findings: tuple[Finding, ...]


def nodule_of(inside: Inside) -> MarkedNodules:
    """Return the outline of the largest part of a mask that is not empty, with what was found.

    Parts inside an outline belong to it. An outline with a gap is larger than what it should
    enclose, and is refused.

    Raises
    ------
    MaskUnclear
        if the mask is probably inverted, or the largest part is no nodule.
    RoiTooSmall
    """
    _check_edges(inside)
    outlines, _ = cv2.findContours(
        inside.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE
    )
    if len(outlines) > MAX_COMPONENTS:
        raise MaskUnclear(problem=f"it marks more than {MAX_COMPONENTS} separate parts")
    components = [_Component(np.asarray(outline, np.int32)) for outline in outlines]
    nodule = max(components, key=lambda part: part.size)
    others = [part for part in components if part is not nodule]
    _check_span(nodule, inside.shape)
    if not nodule.is_speck:
        _check_closed(nodule)
        _check_caption(nodule, others, inside.shape)
    findings = (MASK_HOLE,) if _has_hole(inside, nodule) else ()
    if others:
        findings = (*findings, _several_components(len(others)))
    return MarkedNodules(
        roi=nodule.roi(),
        other_rois=tuple(part.roi() for part in others if part.is_nodule),
        findings=findings,
    )


def _check_edges(inside: Inside) -> None:
    edges = (inside[0], inside[-1], inside[:, 0], inside[:, -1])
    top, bottom, left, right = (float(edge.mean()) for edge in edges)
    if min(top, bottom, left, right) > 0:
        raise MaskUnclear(
            problem="what it marks reaches all four edges, so it is inverted or marks everything"
        )
    if max(min(top, bottom), min(left, right)) >= MAX_EDGE_SHARE:
        raise MaskUnclear(
            problem="what it marks covers two opposite edges, so it is inverted or marks everything"
        )


def _check_span(nodule: _Component, shape: tuple[int, ...]) -> None:
    """Check that the mark is no frame as wide and as high as the picture, unlike a close crop."""
    height, width = shape
    _, _, nodule_width, nodule_height = nodule.bounds
    spans_picture = min(nodule_width / width, nodule_height / height) >= MAX_SPAN
    if spans_picture and nodule.corner_count() >= MIN_CORNERS:
        raise MaskUnclear(
            problem="what it marks spans nearly the whole picture, so it is inverted or marks "
            "everything"
        )


def _check_closed(nodule: _Component) -> None:
    """Check that an outline has an inside, unlike a line with a gap."""
    if not nodule.is_solid or _radius_px(nodule.filled()) < MIN_RADIUS_PX:
        raise MaskUnclear(problem="it is a line that is not closed around the nodule")


def _check_caption(
    nodule: _Component, others: Sequence[_Component], shape: tuple[int, ...]
) -> None:
    """Check that the largest part is no block of text or scale at an edge beside the nodule."""
    height, width = shape
    left, top, nodule_width, nodule_height = nodule.bounds
    is_inside_x = 0 < left < width - nodule_width
    is_inside_y = 0 < top < height - nodule_height
    shapes = [part for part in others if not part.is_speck and not part.is_rectangle]
    if nodule.is_rectangle and shapes and not (is_inside_x and is_inside_y):
        raise MaskUnclear(
            problem="its largest part is a rectangle at an edge beside a part of another shape, "
            "so it may be a caption"
        )


def _has_hole(inside: Inside, nodule: _Component) -> bool:
    """Return whether the nodule could be the hole. The hole in a drawn outline is none.

    Raises MaskUnclear if a part with a hole is as large as what an inverted mask marks.
    """
    left, top, width, height = nodule.bounds
    filled = nodule.filled()
    marked = filled & inside[top : top + height, left : left + width]
    hole_radius_px = _radius_px(filled & ~marked)
    if hole_radius_px < MIN_HOLE_RADIUS_PX:
        return False
    if hole_radius_px >= MIN_HOLE_IN_LINES * _radius_px(marked):
        return False
    if filled.sum() >= MIN_INVERTED_SHARE * inside.size:
        raise MaskUnclear(problem="what it marks has a hole, so it may be inverted")
    return True


def _radius_px(pixels: Inside) -> float:
    """Return the radius of the largest circle inside some pixels."""
    distances: NDArray[Any] = cv2.distanceTransform(
        np.pad(pixels.astype(np.uint8), 1), cv2.DIST_L2, 5
    )
    return float(distances.max())


def _several_components(others: int) -> Finding:
    parts = "1 other part" if others == 1 else f"{others} other parts"
    return Finding(
        "several-components",
        f"The mask marks {parts} beside the largest one, which was read as the nodule. "
        "If they are other nodules, send them with masks of their own.",
        {"others": others},
    )
