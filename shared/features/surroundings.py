"""The nodule against the tissue around it: contrast of grey, and the step of grey along its outline.

Readers judge echogenicity against the tissue beside the nodule and margins by how sharply they part the two (the
lexicon of ACR TI-RADS, Grant et al., JACR 12:1272, 2015); these features put numbers to both. Their definitions are
ours: a ring around the nodule is as wide as `RING_PART` of the longer side of its box.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.features.region import Region

RING_PART = 0.08
RING_LEAST_PX = 3
SMOOTH_PX = 2.0
"""Sigma that takes speckle out before a gradient is looked at."""
ALONG_PX = 3.0
"""Pixels nearer to the outline than this count as on it."""
SOFTENER = 5.0
DARKEST = 3.0
"""Grey levels added to a spread or a mean, so that even or black tissue divides nothing by zero."""

Grey = NDArray[np.float32]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Scene:
    """`grey` (H, W) of the whole crop and the nodule's `mask` in it, which never fills it."""

    grey: Grey
    mask: Flags

    @classmethod
    def from_region(cls, region: Region) -> "Scene":
        """A nodule that fills its crop gets a border of the crop's edge, so that it has an outline; so does a line."""
        whole = region.uncropped or region
        grey = whole.values.astype(np.float32)
        mask = whole.mask
        if mask.all() or min(mask.shape) < RING_LEAST_PX:
            grey = np.pad(grey, RING_LEAST_PX, mode="edge")
            mask = np.pad(mask, RING_LEAST_PX)
        return cls(grey, mask)

    def values(self, part: Flags) -> Grey:
        """Grey of a part of the crop, (n,); of the nodule where the crop holds nothing of that part."""
        return self.grey[part] if part.any() else self.grey[self.mask]


def contrast_features(region: Region) -> dict[str, float]:
    """Inside against the ring around, the ring beyond that, and the whole crop; rim against both of its sides."""
    scene = Scene.from_region(region)
    element = _disc(_ring_px(scene.mask))
    grown = _grown(scene.mask, element)
    core = cv2.erode(scene.mask.astype(np.uint8), element) > 0
    ring = grown & ~scene.mask
    rim = scene.mask & ~core
    parts = {
        "ring": ring,
        "beyond": _grown(grown, element) & ~grown,
        "crop": np.ones_like(scene.mask),
    }
    inside = scene.grey[scene.mask]
    measured: dict[str, float] = {}
    for name, part in parts.items():
        measured |= {
            f"{name}_{key}": value
            for key, value in _against(inside, scene.values(part)).items()
        }
    means = [float(scene.values(part).mean()) for part in (ring, rim, core)]
    return measured | {"rim_ring": means[1] - means[0], "core_rim": means[2] - means[1]}


def outline_features(region: Region) -> dict[str, float]:
    """Change of grey per pixel across the outline, outwards: positive where the tissue around is brighter."""
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


def _against(inside: Grey, there: Grey) -> dict[str, float]:
    difference = float(inside.mean() - there.mean())
    return {
        "mean": difference,
        "median": float(np.median(inside) - np.median(there)),
        "standardised": difference / (float(there.std()) + SOFTENER),
        "log_ratio": float(
            np.log((inside.mean() + DARKEST) / (there.mean() + DARKEST))
        ),
    }


def _outward_steps(scene: Scene) -> Grey:
    """Gradient of the smoothed grey along the outward normal, at the pixels on the outline, (n,)."""
    mask = scene.mask.astype(np.uint8)
    depth = cv2.distanceTransform(mask, cv2.DIST_L2, 3) - cv2.distanceTransform(
        1 - mask, cv2.DIST_L2, 3
    )
    slope_y, slope_x = np.gradient(cv2.GaussianBlur(scene.grey, (0, 0), SMOOTH_PX))
    inward_y, inward_x = np.gradient(cv2.GaussianBlur(depth, (0, 0), SMOOTH_PX))
    length = np.hypot(inward_x, inward_y) + 1e-3
    steps: Grey = -(slope_x * inward_x + slope_y * inward_y) / length
    on_outline: Flags = np.abs(depth) < ALONG_PX
    return steps[on_outline]


def _ring_px(mask: Flags) -> int:
    rows = np.flatnonzero(mask.any(1))
    columns = np.flatnonzero(mask.any(0))
    return max(int(RING_PART * max(np.ptp(rows), np.ptp(columns))), RING_LEAST_PX)


def _disc(radius_px: int) -> NDArray[np.uint8]:
    size = 2 * radius_px + 1
    return np.asarray(
        cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)), np.uint8
    )


def _grown(mask: Flags, element: NDArray[np.uint8]) -> Flags:
    return cv2.dilate(mask.astype(np.uint8), element) > 0
