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
BYTE_BITS = 8
BYTE_MASK = 255
WORD_BITS = 16
CUSTOMARY_BITS = (BYTE_BITS, 10, 12, 14)
"""Depths of ultrasound pictures that are stored in larger containers."""
MIN_UNUSED_BITS = 2
FAR_UNUSED_BITS = 3
"""Differences to the declared depth that make another one possible, and that make it certain.

By them a picture would be black up to a quarter, or an eighth, of the range. Of 1,180 ultrasound
pictures each has at least 8 % of its pixels above a quarter.
"""
CONTAINER_BITS = 15
"""Smallest declared depth that may be that of the container alone: 16 bits, or 15 and a sign."""
FEW_BRIGHT_SHARE = 0.001
MORE_BRIGHT_SHARE = 0.01
"""Share of the visible pixels above a smaller depth that are marks, text or defects.

The second one holds for far depths in a container. Of the same pictures each has at least 35 % of
its pixels above a sixteenth.
"""
VISIBLE_UNUSED_BITS = 3
"""Pixels from an eighth of a depth on are visible; the others are background."""
VGA_BITS = 6
"""Depth of the entries of a VGA's palette. They are at most 63."""

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

    A declared depth holds, except where the picture would be almost black by it: then the smallest
    customary depth that holds all but a few bright pixels is taken, with a finding. A picture that
    is only dark by its declared depth has a finding, too. Values whose low bits are all clear are a
    smaller depth shifted up, and 16 bits with two equal bytes are 8 bits stretched. Both need no
    guess.

    Parameters
    ----------
    values : the samples, of any shape
    bits : their declared depth
    """
    declared = 2**bits - 1
    if bits <= BYTE_BITS or not values.any():
        return declared, ()
    used_bits = int(np.bitwise_or.reduce(values, axis=None))
    unused = bits - BYTE_BITS
    if used_bits % 2**unused == 0:
        return BYTE_MASK << unused, ()
    if bits == WORD_BITS and (values >> BYTE_BITS == values & BYTE_MASK).all():
        return declared, ()
    smaller_depths = [depth for depth in CUSTOMARY_BITS if depth < bits]
    for depth in smaller_depths:
        unused = bits - depth
        if used_bits % 2**unused == 0:
            return (2**depth - 1) << unused, ()
    for depth in smaller_depths:
        if not _holds_picture(values, bits, depth):
            continue
        if bits - depth >= FAR_UNUSED_BITS:
            return 2**depth - 1, (_depth_guessed(bits, depth),)
        return declared, (_depth_unclear(bits, depth),)
    return declared, ()


def _holds_picture(values: NDArray[np.integer], bits: int, depth: int) -> bool:
    """Return whether a smaller depth holds all samples but a few bright ones."""
    unused = bits - depth
    if unused < MIN_UNUSED_BITS:
        return False
    is_far = bits >= CONTAINER_BITS and unused >= FAR_UNUSED_BITS
    share = MORE_BRIGHT_SHARE if is_far else FEW_BRIGHT_SHARE
    visible = np.count_nonzero(values >= 2 ** (depth - VISIBLE_UNUSED_BITS))
    return bool(np.count_nonzero(values >= 2**depth) <= share * visible)


def palette_white_level(peak: int) -> tuple[int, tuple[Finding, ...]]:
    """Return the value that is shown white, by the greatest value in a palette of bytes.

    Old programs stored the palette of a VGA card as it was. It is taken as such, with a finding, if
    its greatest value needs all of its 6 bits.
    """
    if 2 ** (VGA_BITS - 1) <= peak < 2**VGA_BITS:
        return 2**VGA_BITS - 1, (_depth_guessed(BYTE_BITS, VGA_BITS),)
    return BYTE_MASK, ()


def _depth_guessed(declared: int, bits: int) -> Finding:
    return Finding(
        "depth-guessed",
        f"The file declares {declared} bits a sample, but its picture fits into {bits}, so it was "
        f"read as a picture of {bits} bits. If it looks too bright, export it again with its true "
        "depth.",
        {"declared_bits": declared, "bits": bits},
    )


def _depth_unclear(declared: int, bits: int) -> Finding:
    return Finding(
        "depth-unclear",
        f"The file declares {declared} bits a sample and was read so, but its picture fits into "
        f"{bits}. If it looks too dark, export it again with its true depth.",
        {"declared_bits": declared, "bits": bits},
    )
