"""The samples of a decoded picture, and their conversion to 8-bit grey."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.domain.results.findings import Finding
from shared.imaging.grey import (
    palette_white_level,
    scale_to_byte,
    to_grey,
    white_level,
)
from shared.imaging.raster.orientation import UPRIGHT, Orientation

BYTE_BITS = 8
OPAQUE = 255
BLANK_RANGE = 8
"""Grey levels between the darkest and the brightest pixel of a picture that shows nothing."""
MIN_HIDDEN_SHARE = 0.01
MIN_EVEN_SHARE = 0.75
"""Transparent pixels, as a share of the picture, that may hide a part of it; and the share of them
that differ by less than BLANK_RANGE from their median if they are a background, with soft edges."""
ALPHA_IGNORED = Finding(
    "alpha-ignored",
    "The transparency of the file hides the picture or a part of it, so it was ignored. "
    "If something else should be seen, export the picture without transparency.",
)


@dataclass(frozen=True, eq=False)
class Samples:
    """A picture with the depth and the polarity that its file declares.

    Attributes
    ----------
    colour : (height, width) grey, or (height, width, 3) RGB; unsigned integers as stored
    bits : declared depth of a sample
    is_depth_certain : whether the file states the depth of its values, and not of their container
    white_is_zero : whether 0 is white
    alpha : (height, width) opacity with the same depth, 0 is transparent; None: all is opaque
    indices : (height, width) palette indices; None without a palette
    palette_peak : greatest value in the palette; None without one
    orientation : how the picture is made upright
    is_upright : whether the decoder has turned the picture
    """

    colour: NDArray[np.unsignedinteger]
    bits: int = BYTE_BITS
    is_depth_certain: bool = False
    white_is_zero: bool = False
    alpha: NDArray[np.unsignedinteger] | None = None
    indices: NDArray[np.uint8] | None = None
    palette_peak: int | None = None
    orientation: Orientation = UPRIGHT
    is_upright: bool = False

    def to_grey(self) -> tuple[NDArray[np.uint8], tuple[Finding, ...]]:
        """Return the upright picture, (height, width) uint8 grey, with what was found."""
        white, depth_findings = self._white_level()
        colour = scale_to_byte(self.colour, 0, white)
        if self.white_is_zero:
            colour = 255 - colour
        alpha_findings: tuple[Finding, ...] = ()
        if self.alpha is not None:
            opacity = scale_to_byte(self.alpha, 0, self._opaque_value(white))
            colour, alpha_findings = _on_black(colour, opacity)
        colour_findings: tuple[Finding, ...] = ()
        if colour.ndim == 3:
            colour, colour_findings = to_grey(colour)
        return np.asarray(self.turned(colour), np.uint8), (
            *self.orientation.findings,
            *depth_findings,
            *alpha_findings,
            *colour_findings,
        )

    def turned(self, pixels: NDArray[np.generic]) -> NDArray[np.generic]:
        """Return an upright copy of an array of the picture's size."""
        if self.is_upright:
            return pixels.copy()
        return self.orientation.upright(pixels)

    def _white_level(self) -> tuple[int, tuple[Finding, ...]]:
        if self.is_depth_certain:
            return 2**self.bits - 1, ()
        if self.palette_peak is not None:
            return palette_white_level(self.palette_peak)
        return white_level(self.colour, self.bits)

    def _opaque_value(self, white: int) -> int:
        """Return the alpha value that is opaque: that of white, unless the file has greater ones.

        Samples that fill a part of their depth have an alpha that fills the same part.
        """
        has_greater = self.alpha is not None and bool((self.alpha > white).any())
        return 2**self.bits - 1 if has_greater else white


def _on_black(
    colour: NDArray[np.uint8], opacity: NDArray[np.uint8]
) -> tuple[NDArray[np.uint8], tuple[Finding, ...]]:
    """Lay a picture on black, which is the background of ultrasound images.

    An opacity that hides or dims more than an even background is not one: some programs write 0
    everywhere, others a copy of the grey. It is ignored, with a finding.
    """
    if _hides_picture(colour, opacity):
        return colour, (ALPHA_IGNORED,)
    if colour.ndim == 3:
        opacity = np.repeat(opacity[..., None], 3, axis=2)
    return np.asarray(cv2.multiply(colour, opacity, scale=1 / 255), np.uint8), ()


def _hides_picture(colour: NDArray[np.uint8], opacity: NDArray[np.uint8]) -> bool:
    """Return whether what is not opaque is more than an even background."""
    hidden = colour[opacity < OPAQUE]
    if len(hidden) < MIN_HIDDEN_SHARE * opacity.size or not np.ptp(colour):
        return False
    levels = hidden.reshape(len(hidden), -1).astype(np.int16)
    distances = np.abs(levels - np.median(levels, axis=0)).max(axis=1)
    is_even = (distances < BLANK_RANGE).mean() >= MIN_EVEN_SHARE
    return not is_even
