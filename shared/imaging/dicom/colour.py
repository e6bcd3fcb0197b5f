"""What the three samples of a pixel are: by the label, by the picture itself, and as RGB."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.imaging.dicom.codestream import Colour

Samples = NDArray[Any]
EIGHT_BITS = 8
TRANSFORMED = ("YBR_RCT", "YBR_ICT")
"""Colours that a JPEG 2000 decoder returns as RGB."""
MID_LEVELS = 4
"""Distance from the middle of 256 levels within which chroma has no colour."""
MAJORITY = 0.5
"""Share of the pixels that shows what the samples are."""
FEW_PIXELS = 0.01
GAMUT_LEVELS = 32
"""Levels by which rounding and compression may leave the range of red, green and blue."""
IMPOSSIBLE_SHARE = 0.05
DARK_LEVEL = 64
"""Luma below which chroma is above 80 of 255."""
SEEN_PIXELS = 250_000
"""Pixels that are looked at, at least, to see what the samples are."""
BAND_ROWS = 256
"""Rows whose colours are converted together, so that a large frame needs little memory."""


def labelled_colour(interpretation: str) -> Colour | None:
    """Return what the header says that three decoded samples are."""
    if interpretation == "RGB" or interpretation in TRANSFORMED:
        return Colour.RGB
    return Colour.YBR if interpretation.startswith("YBR") else None


def visible_colour(samples: Samples, bits: int) -> Colour | None:
    """Return what three samples are, if an ultrasound picture of them leaves no doubt.

    Most of such a picture is grey. The samples of a grey pixel are equal in RGB; in luma and
    chroma the second and third are in the middle of their range, whatever the first. A picture
    that is tinted throughout still has black, and there only one reading is possible.

    Parameters
    ----------
    samples : (height, width, 3)
    bits : depth of the samples
    """
    step = max(1, math.isqrt(samples[..., 0].size // SEEN_PIXELS))
    sample = samples[::step, ::step]
    levels = (sample >> max(bits - EIGHT_BITS, 0)).astype(int)
    middle = 2 ** min(bits, EIGHT_BITS) // 2
    first = levels[..., 0]
    is_telling = (np.abs(first - middle) > 2 * MID_LEVELS) & (first > MID_LEVELS)
    is_telling &= first < 2 * middle - 1 - MID_LEVELS
    if is_telling.mean() < FEW_PIXELS:
        return None
    second_and_third = levels[is_telling][:, 1:]
    is_middle = (np.abs(second_and_third - middle) <= MID_LEVELS).all(axis=1)
    if is_middle.mean() > MAJORITY:
        return Colour.YBR
    distances = np.abs(second_and_third - first[is_telling][:, None])
    is_equal = (distances <= MID_LEVELS // 2).all(axis=1)
    if is_equal.mean() > MAJORITY:
        return Colour.RGB
    return _tinted_colour(levels) if bits >= EIGHT_BITS else None


def _tinted_colour(levels: Samples) -> Colour | None:
    """Return what three samples of 8 bits are, by what luma and chroma cannot be.

    Dark luma has chroma near the middle: lower or higher chroma is outside of red, green and blue.
    RGB has many such pixels, because its black has three low samples.
    """
    rgb = _band_to_rgb(levels, EIGHT_BITS, is_clipped=False)
    is_impossible = (rgb < -GAMUT_LEVELS) | (rgb > 2**EIGHT_BITS - 1 + GAMUT_LEVELS)
    impossible_share = is_impossible.any(axis=-1).mean()
    if impossible_share > IMPOSSIBLE_SHARE:
        return Colour.RGB
    has_black = (levels[..., 0] < DARK_LEVEL).mean() > FEW_PIXELS
    is_possible = impossible_share < FEW_PIXELS
    return Colour.YBR if has_black and is_possible else None


def is_coloured_throughout(rgb: Samples, bits: int) -> bool:
    """Return whether most of a picture is in colour, as that of an ultrasound never is."""
    levels = (rgb >> max(bits - EIGHT_BITS, 0)).astype(int)
    chroma = levels.max(axis=-1) - levels.min(axis=-1)
    return bool((chroma > 4 * MID_LEVELS).mean() > MAJORITY)


def ybr_to_rgb(samples: Samples, bits: int) -> Samples:
    """Convert luma and chroma to RGB at their depth (PS3.3, C.7.6.3.1.2)."""
    rgb = np.empty_like(samples)
    for top in range(0, samples.shape[0], BAND_ROWS):
        band = slice(top, top + BAND_ROWS)
        rgb[band] = _band_to_rgb(samples[band], bits)
    return rgb


def _band_to_rgb(samples: Samples, bits: int, *, is_clipped: bool = True) -> Samples:
    luma, blue, red = np.moveaxis(samples.astype(np.float32), -1, 0)
    blue -= 2 ** (bits - 1)
    red -= 2 ** (bits - 1)
    green = luma - 0.344136 * blue - 0.714136 * red
    rgb = np.stack([luma + 1.402 * red, green, luma + 1.772 * blue], axis=-1)
    if not is_clipped:
        return rgb
    clipped: Samples = np.clip(np.rint(rgb), 0, 2**bits - 1)
    return clipped
