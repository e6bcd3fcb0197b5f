"""Converts colour to grey, and reports colour that may hide tissue."""

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.domain.results.findings import Finding

COLOURED_CHROMA = 48
"""A pixel is coloured if its strongest and weakest channel differ by more than this, of 255."""
COLOURED_FRACTION = 0.01
"""Share of coloured pixels above which the user gets a finding.

Text, rulers and the manufacturer's logo cover less.
"""
CONTAINER_BITS = 15
"""Smallest declared depth that may be that of the container alone: 16 bits, or 15 and a sign."""
VGA_BITS = 6
"""Depth of the entries of a VGA's palette. They are at most 63."""
CUSTOMARY_BITS = (8, 10, 12, 16)
"""Depths of ultrasound pictures that are stored in larger containers."""

COLOUR_OVERLAY = Finding(
    "colour-overlay",
    "Part of the image is in colour (Doppler, elastography or a tinted photograph); "
    "colour was turned to grey and may hide texture. A plain B-mode image is better.",
)


def to_grey(rgb: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], tuple[Finding, ...]]:
    """Convert an image to its luma, by ITU-R BT.601.

    Parameters
    ----------
    rgb : (height, width, 3) uint8

    Returns
    -------
    pixels : (height, width) uint8
    findings : `COLOUR_OVERLAY` if a considerable part of the image is coloured
    """
    rgb = np.ascontiguousarray(rgb)
    grey = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.uint8)
    findings = (COLOUR_OVERLAY,) if _is_coloured(rgb) else ()
    return grey, findings


def _is_coloured(rgb: NDArray[np.uint8]) -> bool:
    red, green, blue = cv2.split(rgb)
    strongest = cv2.max(cv2.max(red, green), blue)
    weakest = cv2.min(cv2.min(red, green), blue)
    chroma = strongest - weakest
    return bool((chroma > COLOURED_CHROMA).mean() > COLOURED_FRACTION)


def scale_to_byte(
    values: NDArray[np.number], low: float, high: float
) -> NDArray[np.uint8]:
    """Map `low`..`high` linearly to 0..255 and clip, for any shape; an empty range maps to 0."""
    if high <= low:
        return np.zeros(values.shape, np.uint8)
    if values.dtype == np.uint8 and (low, high) == (0, 255):
        return values.astype(np.uint8)
    factor = np.float32(255 / (high - low))
    scaled = (values.astype(np.float32) - np.float32(low)) * factor
    levels: NDArray[np.uint8] = np.clip(np.rint(scaled), 0, 255).astype(np.uint8)
    return levels


def white_level(
    values: NDArray[np.integer], bits: int
) -> tuple[int, tuple[Finding, ...]]:
    """Return the value that is shown white, by the depth of unsigned samples.

    A declared depth holds. Values whose low bits are all clear are a smaller depth shifted up, which
    needs no guess. Only containers of 15 bits and more often hold fewer: values that would fit into
    a smaller customary depth are taken as such, with a finding.

    Parameters
    ----------
    values : the samples, of any shape
    bits : their declared depth
    """
    smaller_depths = [depth for depth in CUSTOMARY_BITS if depth < bits]
    if not smaller_depths or not values.size:
        return 2**bits - 1, ()
    highest = int(values.max())
    if bits >= CONTAINER_BITS:
        for depth in smaller_depths:
            if highest < 2**depth:
                return 2**depth - 1, (_depth_guessed(bits, depth),)
    used_bits = int(np.bitwise_or.reduce(values, axis=None))
    for depth in smaller_depths:
        unused = bits - depth
        if used_bits % 2**unused == 0:
            return (2**depth - 1) << unused, ()
    return 2**bits - 1, ()


def palette_white_level(peak: int) -> tuple[int, tuple[Finding, ...]]:
    """Return the value that is shown white, by the greatest value in a palette of bytes.

    Old programs stored the palette of a VGA card as it was. It is taken as such, with a finding, if
    its greatest value needs all of its 6 bits.
    """
    if 2 ** (VGA_BITS - 1) <= peak < 2**VGA_BITS:
        return 2**VGA_BITS - 1, (_depth_guessed(8, VGA_BITS),)
    return 2**8 - 1, ()


def _depth_guessed(declared: int, bits: int) -> Finding:
    return Finding(
        "depth-guessed",
        f"The file declares {declared} bits a sample, but its values fit into {bits}, so it was "
        f"read as a picture of {bits} bits. If it looks too bright, export it again with its true "
        "depth.",
        {"declared_bits": declared, "bits": bits},
    )
