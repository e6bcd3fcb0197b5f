"""Pictures with outlined nodules, for training the outline network."""

from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.imaging.image import Box
from shared.imaging.regions.marked_image import MarkedImage
from shared.imaging.regions.roi import Click, RealBox

CLICK_DEPTH = 0.25
"""Clicks are at least this deep in a nodule, as a share of its deepest pixel's distance from the
edge.
"""
MAX_SIDE_PX = 512
"""Larger pictures are reduced, so that a data set fits in memory; the network sees less."""


@dataclass(frozen=True, eq=False)
class OutlineExample:
    """A picture and the masks of its nodules.

    Attributes
    ----------
    pixels : (height, width) uint8 grey
    masks : one or more, each (height, width) bool
    """

    pixels: NDArray[np.uint8]
    masks: tuple[NDArray[np.bool_], ...]

    @classmethod
    def from_marks(cls, marked: MarkedImage) -> Self | None:
        """Return the example, reduced; None if no nodule is outlined by a polygon or a mask."""
        outlined = [roi for roi in (marked.roi, *marked.other_rois) if roi is not None]
        if not outlined or any(roi.polygon is None for roi in outlined):
            return None
        pixels = marked.image.pixels
        height, width = pixels.shape
        whole = Box(x=0, y=0, width=width, height=height)
        scale = min(MAX_SIDE_PX / max(height, width), 1.0)
        size = (max(round(width * scale), 1), max(round(height * scale), 1))
        masks = []
        for roi in outlined:
            mask = roi.mask(whole).astype(np.uint8)
            reduced = cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST)
            if reduced.any():
                masks.append(reduced.astype(bool))
        if not masks:
            return None
        reduced_pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
        return cls(np.asarray(reduced_pixels, np.uint8), tuple(masks))

    @property
    def union(self) -> NDArray[np.bool_]:
        """The pixels of all nodules (height, width)."""
        return np.asarray(np.logical_or.reduce(self.masks))

    def mirrored(self) -> "OutlineExample":
        """Return the example mirrored left to right."""
        masks = tuple(np.ascontiguousarray(mask[:, ::-1]) for mask in self.masks)
        return OutlineExample(np.ascontiguousarray(self.pixels[:, ::-1]), masks)


def mask_box(mask: NDArray[np.bool_]) -> RealBox:
    """Return the box of the pixels of a mask that is not empty."""
    rows = np.flatnonzero(mask.any(axis=1))
    columns = np.flatnonzero(mask.any(axis=0))
    left = float(columns[0])
    top = float(rows[0])
    return left, top, float(columns[-1] + 1 - left), float(rows[-1] + 1 - top)


def draw_click(mask: NDArray[np.bool_], random: np.random.Generator) -> Click:
    """Return a random point inside a mask that is not empty, as a reader may click: not always in
    the middle, and not on the edge.
    """
    edged = cv2.copyMakeBorder(mask.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT)
    depth = cv2.distanceTransform(edged, cv2.DIST_L2, 3)[1:-1, 1:-1]
    rows, columns = np.nonzero(mask & (depth >= CLICK_DEPTH * depth.max()))
    index = random.integers(len(rows))
    return Click(x=float(columns[index]) + 0.5, y=float(rows[index]) + 0.5)


def loosen_box(box: RealBox, shares: NDArray[np.float64]) -> RealBox:
    """Return a box with each side moved by a share of its width or height.

    Parameters
    ----------
    shares : of left, top, right and bottom; positive is to the right or down
    """
    left, top, width, height = box
    moved_left = left + shares[0] * width
    moved_top = top + shares[1] * height
    right = left + width * (1 + shares[2])
    bottom = top + height * (1 + shares[3])
    return moved_left, moved_top, right - moved_left, bottom - moved_top
