"""Templates of marks in many sizes, and the correlation of image points with them."""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.imaging.calipers.line_segments import Grey
from shared.imaging.calipers.marks import MarkKind

Template = NDArray[np.float32]
Size = tuple[int, int]
"""Half width and half height in pixels."""
LineSegment = tuple[float, float, float, float]
"""x, y of the start and x, y of the end, in half lengths."""

HALF_LENGTHS_PX = (3, 4, 5, 6, 7, 8, 10, 12)
"""Half lengths of an arm: 5 to 10 on real images, 4 on phantoms of 256 pixels."""
MAX_STRETCH = 1.36
"""Largest ratio of width and height. Crops are resized to squares."""
RIM_PX = 2
OPENING = 0.35
"""Share of an arm that is missing around the centre of an open plus, which has a dot there."""
SUBPIXELS = 8
"""Subpixels a side in which a template is drawn."""
SPOT_WIDTHS = (0.3, 0.45, 0.6, 0.8)
SPOT_FLATTENINGS = (1.0, 1.6)
SPOTS = tuple(
    (width, width / flattening)
    for width in SPOT_WIDTHS
    for flattening in SPOT_FLATTENINGS
)
"""Standard deviations of round and flat spots, in half lengths.

The templates of spots prevent that a microcalcification is taken for a mark.
"""
MIN_ADVANTAGE = 0.05
"""Minimum difference between the correlation with a mark and the correlation with any spot."""
STROKE_PX = 1.3
BLUR_PX = 0.5
MIN_COARSE_CORRELATION = 0.4
"""Correlation in the blurred image, which tolerates a shift of one pixel.

A point with this value or more is examined pixel by pixel.
"""
SHIFTS = np.array(
    [(0, 0), (1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, -1), (1, -1), (-1, 1)]
)
PLUS_SEGMENTS: tuple[LineSegment, ...] = ((-1, 0, 1, 0), (0, -1, 0, 1))
OPEN_PLUS_SEGMENTS: tuple[LineSegment, ...] = (
    (-1, 0, -OPENING, 0),
    (OPENING, 0, 1, 0),
    (0, -1, 0, -OPENING),
    (0, OPENING, 0, 1),
    (0, 0, 0, 0),
)
CROSS_SEGMENTS: tuple[LineSegment, ...] = ((-1, -1, 1, 1), (-1, 1, 1, -1))
SHAPES: dict[MarkKind, tuple[tuple[LineSegment, ...], ...]] = {
    MarkKind.PLUS: (PLUS_SEGMENTS, OPEN_PLUS_SEGMENTS),
    MarkKind.CROSS: (CROSS_SEGMENTS,),
}


@dataclass(frozen=True, eq=False)
class TemplateFit:
    """The best template at each of N points.

    Attributes
    ----------
    correlation : (N,) -1..1
    half_size : (N, 2) half width and half height in pixels
    centre : (N, 2) x, y in pixels
    """

    correlation: NDArray[np.float64]
    half_size: NDArray[np.intp]
    centre: NDArray[np.intp]


def top_hat(pixels: Grey) -> Grey:
    """Return the structures narrower than five pixels and brighter than their surroundings.

    This is the white top-hat of an image (height, width).
    """
    kernel = np.ones((5, 5), np.uint8)
    return np.asarray(cv2.morphologyEx(pixels, cv2.MORPH_TOPHAT, kernel), np.uint8)


def fit_templates(
    thin: Grey, x: NDArray[np.intp], y: NDArray[np.intp], kind: MarkKind
) -> TemplateFit:
    """Correlate the surroundings of each point with all templates of a kind.

    Each point is also tried with a shift of up to a pixel. The correlation covers the template and
    a rim of `RIM_PX` pixels, so that strokes beside a mark lower it.

    Parameters
    ----------
    thin : (height, width) top-hat of the image
    x, y : (N,) points in pixels
    kind : of the mark
    """
    points = np.stack([x, y], -1)
    best = TemplateFit(
        correlation=np.full(len(x), -1.0),
        half_size=np.zeros((len(x), 2), int),
        centre=points.copy(),
    )
    if not len(x):
        return best
    blurred = np.asarray(cv2.blur(thin, (3, 3)), np.uint8)
    coarse_marks, _ = _correlations(blurred, points, kind)
    promising = np.flatnonzero(coarse_marks.max(0) >= MIN_COARSE_CORRELATION)
    if not len(promising):
        return best
    shifted_points = points[promising] + SHIFTS[:, None]
    marks, spots = _correlations(thin, shifted_points.reshape(-1, 2), kind)
    is_better_than_spots = marks >= spots + MIN_ADVANTAGE
    correlations = np.where(is_better_than_spots, marks, 0).reshape(
        -1, len(SHIFTS), len(promising)
    )
    by_point = correlations.reshape(-1, len(promising))
    size, shift = np.unravel_index(by_point.argmax(0), correlations.shape[:2])
    order = np.arange(len(promising))
    sizes = np.array(list(_templates_by_size(kind)))
    best.correlation[promising] = correlations[size, shift, order]
    best.half_size[promising] = sizes[size]
    best.centre[promising] = shifted_points[shift, order]
    return best


def _correlations(
    thin: Grey, centres: NDArray[np.intp], kind: MarkKind
) -> NDArray[np.float32]:
    """Return the correlation of each centre (N, 2) with the best mark and the best spot of each
    size.

    The shape is (2, sizes, N).
    """
    pad = HALF_LENGTHS_PX[-1] + RIM_PX + 1
    bordered = cv2.copyMakeBorder(
        thin,
        top=pad,
        bottom=pad,
        left=pad,
        right=pad,
        borderType=cv2.BORDER_CONSTANT,
        value=0,
    )
    padded = bordered.astype(np.float32)
    by_size = [
        _correlate(padded, centres + pad, size, templates)
        for size, templates in _templates_by_size(kind).items()
    ]
    return np.stack(by_size, 1)


def _correlate(
    padded: NDArray[np.float32],
    centres: NDArray[np.intp],
    size: Size,
    templates: Template,
) -> NDArray[np.float32]:
    """Return Pearson correlation of each centre's surroundings with templates of one size.

    Returns
    -------
    (2, N): the best mark and the best spot
    """
    half_width = size[0] + RIM_PX
    half_height = size[1] + RIM_PX
    windows = np.lib.stride_tricks.sliding_window_view(
        padded, (2 * half_height + 1, 2 * half_width + 1)
    )
    at_centres = windows[centres[:, 1] - half_height, centres[:, 0] - half_width]
    surroundings = at_centres.reshape(len(centres), templates.shape[1])
    surroundings = surroundings - surroundings.mean(1, keepdims=True)
    # Not `@`: its threads compete with other preparations. OpenCV stays in this thread.
    products = cv2.gemm(  # type: ignore[call-overload]  # the stubs forbid None here
        surroundings, templates, 1, None, 0, flags=cv2.GEMM_2_T
    )
    lengths = np.linalg.norm(surroundings, axis=1, keepdims=True)
    correlations = products / (lengths + 1e-3)
    best_mark = correlations[:, : -len(SPOTS)].max(1)
    best_spot = correlations[:, -len(SPOTS) :].max(1)
    return np.stack([best_mark, best_spot])


@cache
def _templates_by_size(kind: MarkKind) -> dict[Size, Template]:
    """Return templates (K, pixels) of marks, then of spots, with zero mean and unit length."""
    templates: dict[Size, Template] = {}
    for size in _sizes():
        marks = [_draw_mark(segments, size) for segments in SHAPES[kind]]
        drawings = marks + _draw_spots(size)
        templates[size] = np.stack([_normalised(drawing) for drawing in drawings])
    return templates


def _sizes() -> list[Size]:
    sizes: list[Size] = []
    for half_width in HALF_LENGTHS_PX:
        for half_height in HALF_LENGTHS_PX:
            if 1 / MAX_STRETCH <= half_width / half_height <= MAX_STRETCH:
                sizes.append((half_width, half_height))
    return sizes


def _draw_mark(segments: tuple[LineSegment, ...], size: Size) -> Template:
    half_width, half_height = size
    width = 2 * (half_width + RIM_PX) + 1
    height = 2 * (half_height + RIM_PX) + 1
    canvas = np.zeros((height * SUBPIXELS, width * SUBPIXELS), np.uint8)
    centre = np.array([width, height]) * SUBPIXELS / 2
    scale = np.array([half_width, half_height]) * SUBPIXELS
    for segment in segments:
        start = np.rint(centre + scale * segment[:2]).astype(int).tolist()
        end = np.rint(centre + scale * segment[2:]).astype(int).tolist()
        cv2.line(canvas, start, end, 255, round(SUBPIXELS * STROKE_PX))
    small = cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA)
    blurred = cv2.GaussianBlur(small.astype(np.float32), (0, 0), BLUR_PX)
    return np.asarray(blurred, np.float32)


def _draw_spots(size: Size) -> list[Template]:
    half_width, half_height = size
    x = np.arange(-half_width - RIM_PX, half_width + RIM_PX + 1) / half_width
    rows = np.arange(-half_height - RIM_PX, half_height + RIM_PX + 1)
    y = rows[:, None] / half_height
    spots: list[Template] = []
    for sigma_x, sigma_y in SPOTS:
        spot = np.exp(-0.5 * ((x / sigma_x) ** 2 + (y / sigma_y) ** 2))
        spots.append(spot.astype(np.float32))
    return spots


def _normalised(template: Template) -> Template:
    centred = template.ravel() - template.mean()
    unit: Template = centred / np.linalg.norm(centred)
    return unit
