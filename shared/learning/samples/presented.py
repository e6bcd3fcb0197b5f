"""Images with the ROI that a reader would give: as it is, as a box, as a loose box, or none."""

import hashlib

import numpy as np

from shared.imaging.image import Box
from shared.imaging.regions.marked_image import MarkedImage
from shared.imaging.regions.roi import RealBox, Roi
from shared.learning.samples.sample import Sample
from shared.outlines.examples import loosen_box
from shared.recipes import RoiKind

LOOSE_SHARE = 0.3
"""How far each side of a loose box is off at most, as a share of the box's width or height."""


def present_roi(marked: MarkedImage, kind: RoiKind, sample: Sample) -> Roi | None:
    """Return the ROI of an image as readers give it.

    A loose box is moved at random; how follows from the sample's key alone. It is cut off at the
    edges of the picture.
    """
    roi = marked.roi
    if roi is None or kind is RoiKind.NONE:
        return None
    if kind is RoiKind.OUTLINE:
        return roi
    box = roi.real_box
    if kind is RoiKind.LOOSE_BOX:
        random = sample_random(sample, "loose box")
        box = loosen_box(box, random.uniform(-LOOSE_SHARE, LOOSE_SHARE, 4))
    height, width = marked.image.pixels.shape
    return _box_inside(box, Box(x=0, y=0, width=width, height=height))


def sample_random(sample: Sample, purpose: str) -> np.random.Generator:
    """Return a generator that follows from the sample's key and the purpose alone."""
    digest = hashlib.sha256(f"{purpose}/{sample.key}".encode()).digest()
    return np.random.default_rng(list(digest[:8]))


def _box_inside(box: RealBox, picture: Box) -> Roi:
    left, top, width, height = box
    inside_left = max(left, 0.0)
    inside_top = max(top, 0.0)
    right = min(left + width, picture.width)
    bottom = min(top + height, picture.height)
    return Roi(box=(inside_left, inside_top, right - inside_left, bottom - inside_top))
