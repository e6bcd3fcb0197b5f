"""A phone's photo of a screen: perspective, the screen's pixel grid, a lamp's reflection, blur and noise."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.phantoms.grid import Field

PHOTO_PX = (1600, 1200)
FOCAL = 0.6
"""Focal length of a phone's main camera as a share of the photo's diagonal: 26 mm on a 43.3 mm frame."""
PANEL_PX = 1280
BEZEL = 0.05
"""Width of the frame around the screen, as a share of its longer side."""
BLACK_LEVEL = 14.0
WHITE_LEVEL = 225.0
"""Grey of a screen's black and white as the camera exposes them."""


@dataclass(frozen=True)
class Shot:
    """How a photo is taken.

    Attributes
    ----------
    glare : peak of a reflection in grey levels above the picture; 0 for none
    moire : amplitude of the pixel grid in the photo, as a share of the picture's grey; 0 for none
    blur_px : standard deviation of the blur in pixels of the photo
    tilt_deg : greatest turn of the screen to either side, up or down
    """

    glare: float = 0.0
    moire: float = 0.0
    blur_px: float = 0.7
    tilt_deg: float = 15.0


@dataclass(frozen=True, eq=False)
class Photo:
    pixels: NDArray[np.uint8]
    """(height, width) grey."""
    corners: NDArray[np.float64]
    """(4, 2) of the picture on the screen: x, y in pixels, clockwise from the upper left."""


def photograph(picture: NDArray[np.uint8], seed: int, shot: Shot = Shot()) -> Photo:
    """Photograph a picture (h, w) that fills a screen of its shape; the same seed gives the same pixels."""
    rng = np.random.default_rng(seed)
    height, width = picture.shape
    scale = PANEL_PX / max(height, width)
    panel = cv2.resize(
        picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC
    ).astype(np.float32)
    corners = _seen_from(rng, panel.shape[1] / panel.shape[0], shot.tilt_deg)
    seen = _scene(rng, panel, corners)
    seen = seen * _grid(rng, panel.shape, corners, shot.moire) + _reflection(
        rng, corners, shot.glare
    )
    blurred = np.asarray(cv2.GaussianBlur(seen, (0, 0), shot.blur_px), np.float32)
    blurred += rng.normal(0, 2.0, blurred.shape)
    return Photo(np.clip(blurred, 0, 255).astype(np.uint8), corners)


def _seen_from(
    rng: np.random.Generator, aspect: float, tilt_deg: float
) -> NDArray[np.float64]:
    """Corners of a screen of that aspect, turned, rolled and projected by a pinhole camera."""
    across, up, roll = np.radians(
        [*rng.uniform(-tilt_deg, tilt_deg, 2), rng.uniform(-4, 4)]
    )
    turn = (
        cv2.Rodrigues(np.array([0, across, 0]))[0]
        @ cv2.Rodrigues(np.array([up, 0, 0]))[0]
    )
    turn = turn @ cv2.Rodrigues(np.array([0, 0, roll]))[0]
    flat = np.array(
        [(-aspect, -1, 0), (aspect, -1, 0), (aspect, 1, 0), (-aspect, 1, 0)]
    ) / max(aspect, 1)
    width, height = PHOTO_PX
    focal = FOCAL * np.hypot(width, height)
    fill = rng.uniform(0.6, 0.8)
    away = 2 * focal / (fill * min(width, height * max(aspect, 1)))
    solid = flat @ turn.T + (0, 0, away)
    centre = np.array(PHOTO_PX) / 2 + rng.uniform(-0.03, 0.03, 2) * PHOTO_PX
    corners: NDArray[np.float64] = focal * solid[:, :2] / solid[:, 2:] + centre
    return corners


def _scene(
    rng: np.random.Generator, panel: Field, corners: NDArray[np.float64]
) -> Field:
    """A wall, the screen's frame before it, and the picture in the frame."""
    wall = rng.uniform(15, 130) + rng.uniform(-30, 30) * np.linspace(
        -0.5, 0.5, PHOTO_PX[0], dtype=np.float32
    )
    scene = np.broadcast_to(wall.astype(np.float32), PHOTO_PX[::-1]).copy()
    height, width = panel.shape
    to_photo = _onto(panel.shape, corners)
    rim = BEZEL * max(height, width)
    outer = np.array(
        [
            (-rim, -rim),
            (width + rim, -rim),
            (width + rim, height + rim),
            (-rim, height + rim),
        ],
        np.float32,
    )
    frame = cv2.perspectiveTransform(outer[None], to_photo)
    cv2.fillConvexPoly(
        scene, np.rint(frame).astype(np.int32), float(rng.uniform(2, 45)), cv2.LINE_AA
    )
    shown = BLACK_LEVEL + panel * np.float32((WHITE_LEVEL - BLACK_LEVEL) / 255)
    cover = cv2.warpPerspective(
        np.ones_like(shown), to_photo, PHOTO_PX, flags=cv2.INTER_LINEAR
    )
    return scene * (1 - cover) + cv2.warpPerspective(
        shown, to_photo, PHOTO_PX, flags=cv2.INTER_LINEAR
    )


def _grid(
    rng: np.random.Generator,
    shape: tuple[int, ...],
    corners: NDArray[np.float64],
    amount: float,
) -> Field:
    """The panel's columns and rows as the sensor samples them: beats where both grids are nearly as fine."""
    if not amount:
        return np.ones(PHOTO_PX[::-1], np.float32)
    x, y = np.meshgrid(*(np.arange(side, dtype=np.float32) for side in PHOTO_PX))
    at = cv2.perspectiveTransform(
        np.stack([x, y], -1), np.linalg.inv(_onto(shape, corners))
    )
    inside = (at >= 0).all(-1) & (at < shape[::-1]).all(-1)
    waves = np.cos(2 * np.pi * (at + rng.random(2))) @ np.array([1.0, 0.5], np.float32)
    return (1 + amount * waves * inside).astype(np.float32)


def _reflection(
    rng: np.random.Generator, corners: NDArray[np.float64], peak: float
) -> Field:
    """A lamp seen in the screen: bright in the middle, with a soft edge."""
    if not peak:
        return np.zeros(PHOTO_PX[::-1], np.float32)
    (left, top), (right, bottom) = corners.min(0), corners.max(0)
    centre = rng.uniform(0.25, 0.75, 2) * (right - left, bottom - top) + (left, top)
    wide = rng.uniform(0.05, 0.10, 2) * (right - left)
    x, y = np.meshgrid(*(np.arange(side, dtype=np.float32) for side in PHOTO_PX))
    away = ((x - centre[0]) / wide[0]) ** 2 + ((y - centre[1]) / wide[1]) ** 2
    light: Field = (peak * np.exp(-away / 2)).astype(np.float32)
    return light


def _onto(shape: tuple[int, ...], corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """From pixels of the panel to pixels of the photo."""
    height, width = shape
    panel = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    matrix = cv2.getPerspectiveTransform(panel, corners.astype(np.float32))
    return np.asarray(matrix, np.float64)
