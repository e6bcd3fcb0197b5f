"""Drawn marks of many sizes, and how well a place of the image agrees with the best of them."""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.imaging.calipers.line_segments import Grey
from shared.imaging.calipers.marks import MarkKind

HALVES = (3, 4, 5, 6, 7, 8, 10, 12)
"""Half lengths of an arm in pixels: on real images 5 to 10, on drawn ones of 256 pixels 4."""
STRETCH = 1.36
"""Most that width and height differ: crops are resized to squares."""
RIM = 2
OPEN = 0.35
"""Share of an arm left out around the centre of an open plus, which has a dot there."""
FINE = 8
"""Subpixels a side that a stamp is drawn in."""
SPOTS = tuple(
    (wide, wide / flat) for wide in (0.3, 0.45, 0.6, 0.8) for flat in (1.0, 1.6)
)
"""Standard deviations of round and flat spots, in half lengths: a microcalcification must not be taken for a mark."""
BETTER_BY = 0.05
"""How much better than any spot a mark must agree."""
STROKE_PX = 1.3
BLUR_PX = 0.5
HOPEFUL = 0.4
"""Agreement of the blurred image, which forgives a pixel, from which a place is looked at pixel by pixel."""
NUDGES = np.array(
    [(0, 0), (1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, -1), (1, -1), (-1, 1)]
)
Segment = tuple[float, float, float, float]
SHAPES: dict[MarkKind, tuple[tuple[Segment, ...], ...]] = {
    MarkKind.PLUS: (
        ((-1, 0, 1, 0), (0, -1, 0, 1)),
        (
            (-1, 0, -OPEN, 0),
            (OPEN, 0, 1, 0),
            (0, -1, 0, -OPEN),
            (0, OPEN, 0, 1),
            (0, 0, 0, 0),
        ),
    ),
    MarkKind.CROSS: (((-1, -1, 1, 1), (-1, 1, 1, -1)),),
}
"""Strokes from (x, y) to (x, y) in half lengths: a plus, an open plus, a cross."""


@dataclass(frozen=True, eq=False)
class TemplateFit:
    """For each place (N,): agreement -1..1 with the best stamp, its half width and height, its centre."""

    agreement: NDArray[np.float64]
    half: NDArray[np.intp]
    centre: NDArray[np.intp]


def top_hat(pixels: Grey) -> Grey:
    """What is narrower than five pixels and brighter than around (white top-hat)."""
    element = np.ones((5, 5), np.uint8)
    return np.asarray(cv2.morphologyEx(pixels, cv2.MORPH_TOPHAT, element), np.uint8)


def fit_templates(thin_: Grey, x: NDArray[np.intp], y: NDArray[np.intp], kind: MarkKind) -> TemplateFit:
    """Correlate the surroundings of each place, nudged by up to a pixel, with every stamp of the kind.

    The correlation is taken over the stamp and a rim of `RIM` pixels, so that strokes beside a mark count against it.
    """
    places = np.stack([x, y], -1)
    best = TemplateFit(np.full(len(x), -1.0), np.zeros((len(x), 2), int), places.copy())
    if not len(x):
        return best
    blurred = np.asarray(cv2.blur(thin_, (3, 3)), np.uint8)
    marks, _ = _agreements(blurred, places, kind)
    hopeful = np.flatnonzero(marks.max(0) >= HOPEFUL)
    if not len(hopeful):
        return best
    nudged = places[hopeful] + NUDGES[:, None]
    marks, spots = _agreements(thin_, nudged.reshape(-1, 2), kind)
    agreements = np.where(marks >= spots + BETTER_BY, marks, 0).reshape(
        -1, len(NUDGES), len(hopeful)
    )
    size, nudge = np.unravel_index(
        agreements.reshape(-1, len(hopeful)).argmax(0), agreements.shape[:2]
    )
    order = np.arange(len(hopeful))
    best.agreement[hopeful] = agreements[size, nudge, order]
    best.half[hopeful] = np.array(list(_stamps(kind)))[size]
    best.centre[hopeful] = nudged[nudge, order]
    return best


def _agreements(
    thin_: Grey, centres: NDArray[np.intp], kind: MarkKind
) -> NDArray[np.float32]:
    """Of each centre (N, 2) with the best mark and the best spot of each size, (2, sizes, N)."""
    pad = HALVES[-1] + RIM + 1
    padded = cv2.copyMakeBorder(
        thin_, *(pad,) * 4, cv2.BORDER_CONSTANT, value=0
    ).astype(np.float32)
    by_size = [
        _correlate(padded, centres + pad, half, stamps)
        for half, stamps in _stamps(kind).items()
    ]
    return np.stack(by_size, 1)


def _correlate(
    padded: NDArray[np.float32],
    centres: NDArray[np.intp],
    half: tuple[int, int],
    stamps: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Pearson correlation of each centre's surroundings with the best mark and with the best spot, (2, N)."""
    across = half[0] + RIM
    deep = half[1] + RIM
    windows = np.lib.stride_tricks.sliding_window_view(
        padded, (2 * deep + 1, 2 * across + 1)
    )
    seen = windows[centres[:, 1] - deep, centres[:, 0] - across].reshape(
        len(centres), stamps.shape[1]
    )
    seen = seen - seen.mean(1, keepdims=True)
    # Not `@`: its threads spin against those of other preparations, where OpenCV stays in this one.
    products = cv2.gemm(  # type: ignore[call-overload]  # the stubs forbid None for the third matrix
        seen, stamps, 1, None, 0, flags=cv2.GEMM_2_T
    )
    agreement = products / (np.linalg.norm(seen, axis=1, keepdims=True) + 1e-3)
    mark = agreement[:, : -len(SPOTS)].max(1)
    spot = agreement[:, -len(SPOTS) :].max(1)
    return np.stack([mark, spot])


@cache
def _stamps(kind: MarkKind) -> dict[tuple[int, int], NDArray[np.float32]]:
    """By half width and height, stamps (K, pixels) of marks and then of spots, of zero mean and unit length."""
    sizes = [
        (across, deep)
        for across in HALVES
        for deep in HALVES
        if 1 / STRETCH <= across / deep <= STRETCH
    ]
    return {
        size: np.stack(
            [
                _unit(each)
                for each in (
                    *(_drawn(shape, *size) for shape in SHAPES[kind]),
                    *_spots(*size),
                )
            ]
        )
        for size in sizes
    }


def _drawn(shape: tuple[Segment, ...], across: int, deep: int) -> NDArray[np.float32]:
    width = 2 * (across + RIM) + 1
    height = 2 * (deep + RIM) + 1
    canvas = np.zeros((height * FINE, width * FINE), np.uint8)
    middle = np.array([width, height]) * FINE / 2
    scale = np.array([across, deep]) * FINE
    for segment in shape:
        start, end = (
            np.rint(middle + scale * point).astype(int).tolist()
            for point in (segment[:2], segment[2:])
        )
        cv2.line(canvas, start, end, 255, round(FINE * STROKE_PX))
    small = cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(
        cv2.GaussianBlur(small.astype(np.float32), (0, 0), BLUR_PX), np.float32
    )


def _spots(across: int, deep: int) -> list[NDArray[np.float32]]:
    x = np.arange(-across - RIM, across + RIM + 1) / across
    y = np.arange(-deep - RIM, deep + RIM + 1)[:, None] / deep
    return [
        np.exp(-0.5 * ((x / wide) ** 2 + (y / tall) ** 2)).astype(np.float32)
        for wide, tall in SPOTS
    ]


def _unit(stamp: NDArray[np.float32]) -> NDArray[np.float32]:
    centred = stamp.ravel() - stamp.mean()
    unit: NDArray[np.float32] = centred / np.linalg.norm(centred)
    return unit
