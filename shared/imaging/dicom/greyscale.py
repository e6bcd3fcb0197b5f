"""The DICOM greyscale pipeline (PS3.4, N.2).

The modality transform and then the window convert stored values to 8 bits.
"""

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.pixels import apply_modality_lut, apply_voi_lut

from shared.domain.results.findings import Finding
from shared.imaging.dicom.palette import apply_palette
from shared.imaging.grey import scale_to_byte, to_grey


def greyscale(
    frame: NDArray[np.number], dataset: Dataset
) -> tuple[NDArray[np.uint8], tuple[Finding, ...]]:
    """Convert one decoded frame to grey.

    Parameters
    ----------
    frame : (height, width) stored values or palette indices, or (height, width, 3) RGB
    dataset : the file of the frame

    Returns
    -------
    pixels : (height, width) uint8, dense is bright in every photometric interpretation
    findings : a finding if colour was lost
    """
    interpretation = dataset.PhotometricInterpretation
    if interpretation == "PALETTE COLOR":
        return to_grey(apply_palette(frame, dataset))
    if frame.ndim == 3:
        if frame.dtype == np.uint8:
            return to_grey(np.asarray(frame, np.uint8))
        return to_grey(scale_to_byte(frame, 0, _max_stored_value(dataset)))
    pixels = _windowed(frame, dataset)
    if interpretation == "MONOCHROME1":
        pixels = 255 - pixels
    return pixels, ()


def _max_stored_value(dataset: Dataset) -> float:
    return 2.0 ** int(dataset.BitsStored) - 1


def _windowed(frame: NDArray[np.number], dataset: Dataset) -> NDArray[np.uint8]:
    """Apply the file's lookup table or its first window.

    If the file has neither of them, 8-bit values stay unchanged and wider values are stretched to
    their range.
    """
    values = apply_modality_lut(frame, dataset)
    if dataset.get("VOILUTSequence"):
        bits = int(dataset.VOILUTSequence[0].LUTDescriptor[2])
        return scale_to_byte(apply_voi_lut(values, dataset), 0, 2.0**bits - 1)
    window = _window(dataset)
    if window:
        low, high = window
        return scale_to_byte(values, low, high)
    if frame.dtype == np.uint8 and values.dtype == np.uint8:
        return scale_to_byte(values, 0, _max_stored_value(dataset))
    if not np.isfinite(values).all():
        raise ValueError("pixel values that are no numbers")
    return scale_to_byte(values, float(values.min()), float(values.max()))


def _window(dataset: Dataset) -> tuple[float, float] | None:
    """Return the values that the first window shows as black and as white (PS3.3, C.11.2.1.2.1).

    None if there is no usable window.
    """
    centre = _first(dataset.get("WindowCenter"))
    width = _first(dataset.get("WindowWidth"))
    if centre is None or width is None or width <= 1:
        return None
    low = centre - 0.5 - (width - 1) / 2
    high = centre - 0.5 + (width - 1) / 2
    return low, high


def _first(value: MultiValue[float] | float | None) -> float | None:
    """Return the first number of a data element, or None if there is no finite number."""
    if isinstance(value, MultiValue):
        value = value[0] if value else None
    if value is None or not np.isfinite(float(value)):
        return None
    return float(value)
