"""A phone's photo of a screen.

It shows the screen in perspective, with the beat pattern of its pixel grid, the reflection of a
lamp, blur and noise.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.phantoms.grid import Field

Corners = NDArray[np.float64]
"""(4, 2): x, y in pixels, clockwise from the upper left."""

PHOTO_PX = (1600, 1200)
FOCAL_SHARE = 0.6
"""Focal length of a phone's main camera as a share of the photo's diagonal.

It is 26 mm on a frame with a diagonal of 43.3 mm.
"""
PANEL_PX = 1280
BEZEL_SHARE = 0.05
"""Width of the frame around the screen, as a share of its longer side."""
BLACK_LEVEL = 14.0
WHITE_LEVEL = 225.0
"""Grey of a screen's black and white as the camera exposes them."""


@dataclass(frozen=True)
class PhotoSettings:
    """How a photo is taken.

    Attributes
    ----------
    glare : peak of a reflection in grey levels above the picture; 0 for none
    moire : amplitude of the pixel grid in the photo, as a share of the picture's grey; 0 for none
    blur_px : standard deviation of the blur in pixels of the photo
    tilt_deg : largest turn of the screen to either side, up or down
    """

    glare: float = 0.0
    moire: float = 0.0
    blur_px: float = 0.7
    tilt_deg: float = 15.0


@dataclass(frozen=True, eq=False)
class Photo:
    pixels: NDArray[np.uint8]
    """(height, width) grey."""
    corners: Corners
    """Corners of the picture on the screen."""


def photograph(
    picture: NDArray[np.uint8], seed: int, settings: PhotoSettings = PhotoSettings()
) -> Photo:
    """Photograph a picture (h, w) that fills a screen of its shape.

    The same seed gives the same pixels.
    """
    rng = np.random.default_rng(seed)
    height, width = picture.shape
    scale = PANEL_PX / max(height, width)
    resized = cv2.resize(
        picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC
    )
    panel = resized.astype(np.float32)
    aspect = panel.shape[1] / panel.shape[0]
    corners = _projected_corners(rng, aspect=aspect, tilt_deg=settings.tilt_deg)
    scene = _draw_scene(rng, panel, corners)
    grid = _pixel_grid(
        rng, panel_shape=panel.shape, corners=corners, amplitude=settings.moire
    )
    scene = scene * grid + _reflection(rng, corners, settings.glare)
    blurred = np.asarray(cv2.GaussianBlur(scene, (0, 0), settings.blur_px), np.float32)
    blurred += rng.normal(0, 2.0, blurred.shape)
    pixels = np.clip(blurred, 0, 255).astype(np.uint8)
    return Photo(pixels=pixels, corners=corners)


def _projected_corners(
    rng: np.random.Generator, aspect: float, tilt_deg: float
) -> Corners:
    """Project the corners of a turned and rolled screen of that aspect, by a pinhole camera."""
    tilts = rng.uniform(-tilt_deg, tilt_deg, 2)
    angles = np.radians([*tilts, rng.uniform(-4, 4)])
    yaw, pitch, roll = angles
    rotation = _rotation([0, yaw, 0]) @ _rotation([pitch, 0, 0])
    rotation = rotation @ _rotation([0, 0, roll])
    screen = np.array(
        [(-aspect, -1, 0), (aspect, -1, 0), (aspect, 1, 0), (-aspect, 1, 0)]
    )
    screen = screen / max(aspect, 1)
    width, height = PHOTO_PX
    focal_px = FOCAL_SHARE * np.hypot(width, height)
    fill = rng.uniform(0.6, 0.8)
    distance = 2 * focal_px / (fill * min(width, height * max(aspect, 1)))
    points = screen @ rotation.T + (0, 0, distance)
    centre = np.array(PHOTO_PX) / 2 + rng.uniform(-0.03, 0.03, 2) * PHOTO_PX
    corners: Corners = focal_px * points[:, :2] / points[:, 2:] + centre
    return corners


def _rotation(vector: list[float]) -> NDArray[np.float64]:
    """Return the rotation matrix of a rotation vector in radians."""
    matrix, _ = cv2.Rodrigues(np.array(vector))
    return np.asarray(matrix, np.float64)


def _draw_scene(rng: np.random.Generator, panel: Field, corners: Corners) -> Field:
    """Draw a wall, the screen's frame in front of it, and the picture in the frame."""
    ramp = np.linspace(-0.5, 0.5, PHOTO_PX[0], dtype=np.float32)
    wall = rng.uniform(15, 130) + rng.uniform(-30, 30) * ramp
    scene = np.broadcast_to(wall.astype(np.float32), PHOTO_PX[::-1]).copy()
    height, width = panel.shape
    panel_to_photo = _panel_to_photo(panel.shape, corners)
    bezel = BEZEL_SHARE * max(height, width)
    outer_corners = np.array(
        [
            (-bezel, -bezel),
            (width + bezel, -bezel),
            (width + bezel, height + bezel),
            (-bezel, height + bezel),
        ],
        np.float32,
    )
    frame = cv2.perspectiveTransform(outer_corners[None], panel_to_photo)
    frame_grey = float(rng.uniform(2, 45))
    cv2.fillConvexPoly(scene, np.rint(frame).astype(np.int32), frame_grey, cv2.LINE_AA)
    exposed = BLACK_LEVEL + panel * np.float32((WHITE_LEVEL - BLACK_LEVEL) / 255)
    cover = cv2.warpPerspective(
        np.ones_like(exposed), panel_to_photo, PHOTO_PX, flags=cv2.INTER_LINEAR
    )
    picture = cv2.warpPerspective(
        exposed, panel_to_photo, PHOTO_PX, flags=cv2.INTER_LINEAR
    )
    return scene * (1 - cover) + picture


def _pixel_grid(
    rng: np.random.Generator,
    panel_shape: tuple[int, ...],
    corners: Corners,
    amplitude: float,
) -> Field:
    """Return the panel's pixel grid as the sensor samples it, as a factor of the grey.

    A beat pattern appears in places in which both grids are nearly equally fine.
    """
    if not amplitude:
        return np.ones(PHOTO_PX[::-1], np.float32)
    x, y = _photo_coordinates()
    photo_to_panel = np.linalg.inv(_panel_to_photo(panel_shape, corners))
    panel_points = cv2.perspectiveTransform(np.stack([x, y], -1), photo_to_panel)
    not_before = (panel_points >= 0).all(-1)
    not_behind = (panel_points < panel_shape[::-1]).all(-1)
    inside = not_before & not_behind
    phases = 2 * np.pi * (panel_points + rng.random(2))
    waves = np.cos(phases) @ np.array([1.0, 0.5], np.float32)
    return (1 + amplitude * waves * inside).astype(np.float32)


def _reflection(rng: np.random.Generator, corners: Corners, peak: float) -> Field:
    """Return a lamp reflected in the screen: bright in the middle, with a soft edge."""
    if not peak:
        return np.zeros(PHOTO_PX[::-1], np.float32)
    left, top = corners.min(0)
    right, bottom = corners.max(0)
    size = (right - left, bottom - top)
    centre = rng.uniform(0.25, 0.75, 2) * size + (left, top)
    spread = rng.uniform(0.05, 0.10, 2) * (right - left)
    x, y = _photo_coordinates()
    squared_distance = ((x - centre[0]) / spread[0]) ** 2 + (
        (y - centre[1]) / spread[1]
    ) ** 2
    light: Field = (peak * np.exp(-squared_distance / 2)).astype(np.float32)
    return light


def _photo_coordinates() -> tuple[Field, Field]:
    """Return x and y of each pixel of the photo, both (height, width)."""
    width, height = PHOTO_PX
    columns = np.arange(width, dtype=np.float32)
    rows = np.arange(height, dtype=np.float32)
    x, y = np.meshgrid(columns, rows)
    return x, y


def _panel_to_photo(
    panel_shape: tuple[int, ...], corners: Corners
) -> NDArray[np.float64]:
    """Return the perspective transform (3, 3) from pixels of the panel to pixels of the photo."""
    height, width = panel_shape
    panel = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    matrix = cv2.getPerspectiveTransform(panel, corners.astype(np.float32))
    return np.asarray(matrix, np.float64)
