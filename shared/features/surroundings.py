"""Features that compare the nodule with the tissue around it: contrast, and grey along the outline.

Radiologists judge echogenicity against the tissue beside the nodule, and margins by how sharply
they separate the two (the lexicon of ACR TI-RADS, Grant et al., JACR 12:1272, 2015). These features
measure both. The definitions are SERA's own. The width of the ring around the nodule is
`RING_SHARE` of the longer side of the nodule's bounding box.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.features.region import Region

RING_SHARE = 0.08
MIN_RING_PX = 3
SMOOTHING_PX = 2.0
"""Sigma of the filter that removes speckle before gradients are taken."""
OUTLINE_BAND_PX = 3.0
"""Pixels nearer to the outline than this count as pixels on the outline."""
DEVIATION_OFFSET = 5.0
MEAN_OFFSET = 3.0
"""Grey levels added to a standard deviation or a mean, so that the denominator is never 0."""

Grey = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Scene:
    """The whole crop with the nodule in it.

    Attributes
    ----------
    grey : (H, W) float32
    mask : (H, W) bool of the nodule; it never fills the crop
    """

    grey: Grey
    mask: Mask

    @classmethod
    def from_region(cls, region: Region) -> "Scene":
        """Return the crop that a region was cut from.

        A nodule that fills its crop, or a crop that is a line, gets a border that repeats the edge
        of the crop. Thus every nodule has an outline.
        """
        uncropped = region.uncropped or region
        grey = uncropped.values.astype(np.float32)
        mask = uncropped.mask
        if mask.all() or min(mask.shape) < MIN_RING_PX:
            grey = np.pad(grey, MIN_RING_PX, mode="edge")
            mask = np.pad(mask, MIN_RING_PX)
        return cls(grey=grey, mask=mask)

    def grey_in(self, part: Mask) -> Grey:
        """Return the grey values (n,) of a part of the crop; of the nodule if the part is empty."""
        return self.grey[part] if part.any() else self.grey[self.mask]


def contrast_features(region: Region) -> dict[str, float]:
    """Return the contrast between the nodule and its surroundings.

    The nodule is compared with the ring around it, with the ring beyond that ring, and with the
    whole crop. The nodule's rim is compared with the tissue on both of its sides.
    """
    scene = Scene.from_region(region)
    kernel = _disc(_ring_width_px(scene.mask))
    with_ring = _dilated(scene.mask, kernel)
    core = cv2.erode(scene.mask.astype(np.uint8), kernel) > 0
    ring = with_ring & ~scene.mask
    rim = scene.mask & ~core
    parts = {
        "ring": ring,
        "beyond": _dilated(with_ring, kernel) & ~with_ring,
        "crop": np.ones_like(scene.mask),
    }
    nodule_grey = scene.grey[scene.mask]
    features: dict[str, float] = {}
    for part_name, part in parts.items():
        comparison = _comparison_features(nodule_grey, scene.grey_in(part))
        for name, value in comparison.items():
            features[f"{part_name}_{name}"] = value
    ring_mean = float(scene.grey_in(ring).mean())
    rim_mean = float(scene.grey_in(rim).mean())
    core_mean = float(scene.grey_in(core).mean())
    features["rim_ring"] = rim_mean - ring_mean
    features["core_rim"] = core_mean - rim_mean
    return features


def outline_features(region: Region) -> dict[str, float]:
    """Compute the change of grey per pixel across the outline.

    It is positive if the outside is brighter.
    """
    scene = Scene.from_region(region)
    steps = _outward_steps(scene)
    low, high = np.percentile(steps, [10, 90])
    return {
        "mean": float(steps.mean()),
        "std": float(steps.std()),
        "mean_abs": float(np.abs(steps).mean()),
        "darker_outside": float((steps < 0).mean()),
        "p10": float(low),
        "p90": float(high),
    }


def _comparison_features(nodule_grey: Grey, part_grey: Grey) -> dict[str, float]:
    difference = float(nodule_grey.mean() - part_grey.mean())
    ratio = (nodule_grey.mean() + MEAN_OFFSET) / (part_grey.mean() + MEAN_OFFSET)
    return {
        "mean": difference,
        "median": float(np.median(nodule_grey) - np.median(part_grey)),
        "standardised": difference / (float(part_grey.std()) + DEVIATION_OFFSET),
        "log_ratio": float(np.log(ratio)),
    }


def _outward_steps(scene: Scene) -> Grey:
    """Return the gradient (n,) of the smoothed grey along the outward normal, on the outline."""
    mask = scene.mask.astype(np.uint8)
    depth_inside = cv2.distanceTransform(mask, cv2.DIST_L2, 3)
    distance_outside = cv2.distanceTransform(1 - mask, cv2.DIST_L2, 3)
    depth = depth_inside - distance_outside
    smooth_grey = cv2.GaussianBlur(scene.grey, (0, 0), SMOOTHING_PX)
    slope_y, slope_x = np.gradient(smooth_grey)
    smooth_depth = cv2.GaussianBlur(depth, (0, 0), SMOOTHING_PX)
    inward_y, inward_x = np.gradient(smooth_depth)
    length = np.hypot(inward_x, inward_y) + 1e-3
    steps: Grey = -(slope_x * inward_x + slope_y * inward_y) / length
    on_outline: Mask = np.abs(depth) < OUTLINE_BAND_PX
    return steps[on_outline]


def _ring_width_px(mask: Mask) -> int:
    rows = np.flatnonzero(mask.any(1))
    columns = np.flatnonzero(mask.any(0))
    longer_side = max(np.ptp(rows), np.ptp(columns))
    return max(int(RING_SHARE * longer_side), MIN_RING_PX)


def _disc(radius_px: int) -> NDArray[np.uint8]:
    size = 2 * radius_px + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    return np.asarray(disc, np.uint8)


def _dilated(mask: Mask, kernel: NDArray[np.uint8]) -> Mask:
    return cv2.dilate(mask.astype(np.uint8), kernel) > 0
