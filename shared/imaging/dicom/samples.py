"""What the samples of a frame are, where the header and the picture need not agree.

Byte order, depth, sign and order of the colours are settled here. Rows of a picture that is read
rightly are much more alike than those of one that is read wrongly.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.imaging.dicom.pixel_format import PixelFormat

Samples = NDArray[Any]
"""Stored values: integers, or floating point in rare files that are not ultrasound."""
BYTE_BITS = 8
SIGN_NAME = "Pixel Representation"
SYNTAX_NAME = "Transfer Syntax UID"
MUCH_SMOOTHER = 0.7
"""Ratio of the differences between rows below which a reading is clearly the right one."""
DARK_SHARE = 0.75
"""Share of values above the middle that no signed picture has: of 1,180 pictures none has 60 %."""
OVERLAY_SHARE = 0.1
"""Share of the pixels that an overlay in the unused bits does not cover (PS3.5, 8.1.2)."""


def settle_byte_order(
    samples: Samples, pixel_format: PixelFormat
) -> tuple[Samples, list[str]]:
    """Return samples of two bytes in the byte order that they have.

    The wrong order makes the low byte the more significant one, and that is noise. Samples of 8
    bits have no other byte, and palette indices that are near may be far apart in colour.

    Returns
    -------
    samples : the stored values, in the byte order of this machine
    names : the attribute that the samples contradict
    """
    samples = samples.astype(samples.dtype.newbyteorder("="), copy=False)
    has_words = samples.dtype.itemsize == 2 and pixel_format.bits_stored > BYTE_BITS
    if not has_words or pixel_format.interpretation == "PALETTE COLOR":
        return samples, []
    swapped = samples.byteswap()
    is_clear = _roughness(swapped) < MUCH_SMOOTHER * _roughness(samples)
    return (swapped, [SYNTAX_NAME]) if is_clear else (samples, [])


def _roughness(samples: Samples) -> float:
    """Return the mean difference between neighbouring rows, as a share of the contrast."""
    contrast = float(samples.std())
    return row_difference(samples) / contrast if contrast else 0.0


def settle_bits(
    samples: Samples, pixel_format: PixelFormat
) -> tuple[Samples, PixelFormat, list[str]]:
    """Move the stored bits of uncompressed samples to the low end of their container.

    Where the header and the samples disagree, the samples decide. Values in the high bits have
    clear low bits; values in the low bits have clear high bits.

    Returns
    -------
    samples : the stored values alone
    pixel_format : with the depth that the samples have
    names : the attributes that the samples contradict
    """
    unused = pixel_format.bits_allocated - pixel_format.bits_stored
    shift = pixel_format.high_bit + 1 - pixel_format.bits_stored
    if unused == 0:
        return samples, pixel_format, []
    names = ["High Bit"] if shift < 0 else []
    shift = max(shift, 0)
    if pixel_format.is_signed:
        return stored_bits(samples, pixel_format, shift), pixel_format, names
    is_low_clear = not (samples & (2**unused - 1)).any()
    high = samples >> pixel_format.bits_stored
    if shift > 0 and not is_low_clear and not high.any():
        return samples, pixel_format, ["High Bit"]
    if shift == 0 and high.any() and is_low_clear:
        return samples >> unused, pixel_format, ["High Bit"]
    foreign_bits = high if shift == 0 else samples & (2**unused - 1)
    is_at_end = shift in (0, unused)
    if is_at_end and (foreign_bits > 0).mean() > OVERLAY_SHARE:
        deeper = replace(pixel_format, bits_stored=pixel_format.bits_allocated)
        return samples, deeper, ["Bits Stored"]
    return stored_bits(samples, pixel_format, shift), pixel_format, names


def stored_bits(samples: Samples, pixel_format: PixelFormat, shift: int) -> Samples:
    """Return the stored bits of samples, with the sign of signed ones."""
    container_bits = 8 * samples.dtype.itemsize
    unused = container_bits - pixel_format.bits_stored
    if unused <= 0:
        return samples
    shifted: Samples = (samples << (unused - shift)) >> unused
    return shifted


def settle_sign(
    samples: Samples, pixel_format: PixelFormat
) -> tuple[Samples, PixelFormat, list[str]]:
    """Read samples that are labelled signed as unsigned where they are.

    Colour is never signed. Signed grey has its black below zero, so a picture without negative
    values is read as unsigned, which changes none of them. Elsewhere the wrong sign turns a small
    step at the middle of the range into one over the whole range, so the right one has rows that
    are more alike: much more, or a little where few values are negative.

    Returns
    -------
    samples : the stored values
    pixel_format : with the sign that the samples have
    names : the attribute that the samples contradict
    """
    if not pixel_format.is_signed:
        return samples, pixel_format, []
    is_nowhere_negative = samples.min() >= 0
    unsigned = samples.view(f"u{samples.dtype.itemsize}")
    if pixel_format.bits_stored < 8 * samples.dtype.itemsize:
        unsigned = unsigned & (2**pixel_format.bits_stored - 1)
    if samples.ndim == 2 and not is_nowhere_negative:
        ratio = row_difference(unsigned) / max(row_difference(samples), 1e-9)
        is_dark = (samples >= 0).mean() > DARK_SHARE
        if ratio >= (1 if is_dark else MUCH_SMOOTHER):
            return samples, pixel_format, []
    names = [] if is_nowhere_negative else [SIGN_NAME]
    return unsigned, replace(pixel_format, is_signed=False), names


def smoother_order(samples: Samples) -> Samples:
    """Return colour samples by pixel or by plane, whichever makes neighbouring rows more alike.

    Parameters
    ----------
    samples : (height, width, 3), read by pixel
    """
    height, width, _ = samples.shape
    planes = samples.reshape(3, height, width).transpose(1, 2, 0)
    return planes if row_difference(planes) < row_difference(samples) else samples


def clear_order(samples: Samples, *, has_planes: bool) -> Samples:
    """Return colour samples in the other order than the header's where it is clearly right.

    Parameters
    ----------
    samples : (height, width, 3), read by plane if `has_planes`, otherwise by pixel
    """
    height, width, _ = samples.shape
    if has_planes:
        reordered = samples.transpose(2, 0, 1).reshape(height, width, 3)
    else:
        reordered = samples.reshape(3, height, width).transpose(1, 2, 0)
    is_clear = row_difference(reordered) < MUCH_SMOOTHER * row_difference(samples)
    return reordered if is_clear else samples


def row_difference(samples: Samples) -> float:
    """Return the mean difference between neighbouring rows."""
    rows = samples.astype(np.float32)
    return float(np.abs(np.diff(rows, axis=0)).mean())
