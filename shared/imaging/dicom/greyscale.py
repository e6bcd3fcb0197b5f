"""The DICOM greyscale pipeline: stored values -> modality -> window -> 8 bits (PS3.4, N.2)."""

from typing import Any

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
    """One decoded frame to grey.

    Parameters
    ----------
    frame : (height, width) stored values or palette indices, or (height, width, 3) RGB
    dataset : the file it comes from

    Returns
    -------
    pixels : (height, width) uint8, bright is dense whatever the photometric interpretation
    findings : what colour was lost
    """
    interpretation = dataset.PhotometricInterpretation
    if interpretation == "PALETTE COLOR":
        return to_grey(apply_palette(frame, dataset))
    if frame.ndim == 3:
        if frame.dtype == np.uint8:
            return to_grey(np.asarray(frame, np.uint8))
        return to_grey(scale_to_byte(frame, 0, _white(dataset)))
    pixels = _windowed(frame, dataset)
    return (255 - pixels if interpretation == "MONOCHROME1" else pixels), ()


def _white(dataset: Dataset) -> float:
    return 2.0 ** int(dataset.BitsStored) - 1


def _windowed(frame: NDArray[np.number], dataset: Dataset) -> NDArray[np.uint8]:
    """The file's own lookup table or first window; without one, 8 bits as they are and more bits stretched."""
    values = apply_modality_lut(frame, dataset)
    if dataset.get("VOILUTSequence"):
        bits = int(dataset.VOILUTSequence[0].LUTDescriptor[2])
        return scale_to_byte(apply_voi_lut(values, dataset), 0, 2.0**bits - 1)
    if window := _window(dataset):
        return scale_to_byte(values, *window)
    if frame.dtype == np.uint8 and values.dtype == np.uint8:
        return scale_to_byte(values, 0, _white(dataset))
    if not np.isfinite(values).all():
        raise ValueError("pixel values that are no numbers")
    return scale_to_byte(values, float(values.min()), float(values.max()))


def _window(dataset: Dataset) -> tuple[float, float] | None:
    """Values shown black and white by the first window (PS3.3, C.11.2.1.2.1); None where there is none to use."""
    centre = _first(dataset.get("WindowCenter"))
    width = _first(dataset.get("WindowWidth"))
    if centre is None or width is None or width <= 1:
        return None
    return centre - 0.5 - (width - 1) / 2, centre - 0.5 + (width - 1) / 2


def _first(value: Any) -> float | None:
    """The number, or the first of several, that a data element holds; None where it is none to reckon with."""
    if isinstance(value, MultiValue):
        value = value[0] if value else None
    return None if value is None or not np.isfinite(float(value)) else float(value)
