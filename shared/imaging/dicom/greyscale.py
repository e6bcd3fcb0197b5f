"""The DICOM greyscale pipeline (PS3.4, N.2), and which stored value it shows as black.

The modality transform, the window and the polarity convert stored values to 8 bits. Without a
window the declared depth decides, never the picture's own smallest and largest value, unless a
finding says so.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.pixels import apply_modality_lut, apply_voi_lut

from shared.domain.results.findings import Finding
from shared.imaging.dicom.frame import Frame
from shared.imaging.dicom.palette import apply_palette
from shared.imaging.dicom.samples import Samples
from shared.imaging.grey import scale_to_byte, to_grey, white_level

Levels = NDArray[np.uint8]
MAX_DECLARED_BITS = 16
"""Deeper grey, and floating point, have no customary white. They are stretched."""
STRETCHED = Finding(
    "grey-stretched",
    "The file does not say which values are black and white, so its own darkest and brightest "
    "were taken. Export it with a window, or as an 8-bit image.",
)
POLARITY_UNCLEAR = Finding(
    "polarity-unclear",
    "The file's Photometric Interpretation and Presentation LUT Shape disagree on which value is "
    "black; it was shown by the latter. Check that cysts are dark.",
)


@dataclass(frozen=True)
class _Range:
    """The stored values that are shown black and white where no window says it."""

    low: float
    high: float
    findings: tuple[Finding, ...] = ()


def greyscale(frame: Frame, dataset: Dataset) -> tuple[Levels, tuple[Finding, ...]]:
    """Convert one decoded frame to grey.

    Parameters
    ----------
    frame : from `decode_frame`
    dataset : the file of the frame

    Returns
    -------
    pixels : (height, width) uint8, dense is bright in every photometric interpretation
    findings : a finding if colour was lost, or if the depth had to be guessed
    """
    if frame.interpretation == "PALETTE COLOR":
        colours, findings = apply_palette(frame.samples, dataset)
        pixels, colour_findings = to_grey(colours)
        return pixels, (*findings, *colour_findings)
    if frame.interpretation == "RGB":
        white, findings = white_level(frame.samples, frame.bits)
        pixels, colour_findings = to_grey(scale_to_byte(frame.samples, 0, white))
        return pixels, (*findings, *colour_findings)
    value_range = _value_range(frame)
    pixels, used_range = _display_levels(frame.samples, dataset, value_range)
    range_findings = value_range.findings if used_range else ()
    return pixels, (*range_findings, *_polarity_findings(dataset))


def black_value(frame: Frame, dataset: Dataset) -> int | float:
    """Return the sample of a grey or palette frame that is shown darkest.

    The ends of the frame's depth are tried first, so that writing the value leaves the depth that
    `white_level` sees as it is.
    """
    if frame.interpretation == "PALETTE COLOR":
        indices = np.arange(2 ** min(frame.bits, MAX_DECLARED_BITS))
        colours, _ = apply_palette(indices[None], dataset)
        levels, _ = to_grey(colours)
        return int(levels.argmin())
    value_range = _value_range(frame)
    values = np.array([value_range.low, value_range.high])
    if frame.samples.dtype.kind != "f" and frame.bits <= MAX_DECLARED_BITS:
        inner_values = np.arange(int(value_range.low), int(value_range.high) + 1)
        values = np.concatenate([values.astype(int), inner_values])
    levels, _ = _display_levels(values[None], dataset, value_range)
    darkest: int | float = values[levels.argmin()].item()
    return darkest


def _value_range(frame: Frame) -> _Range:
    samples = frame.samples
    if samples.dtype.kind == "f" and not np.isfinite(samples).all():
        raise ValueError("pixel values that are no numbers")
    if samples.dtype.kind == "f" or frame.bits > MAX_DECLARED_BITS:
        return _stretched(samples)
    if not frame.is_signed:
        white, findings = white_level(samples, frame.bits)
        return _Range(low=0, high=white, findings=findings)
    if frame.bits == MAX_DECLARED_BITS:
        return _stretched(samples)
    half = 2 ** (frame.bits - 1)
    white, findings = white_level(samples.astype(np.int64) + half, frame.bits)
    return _Range(low=-half, high=white - half, findings=findings)


def _stretched(samples: Samples) -> _Range:
    low = samples.min().item()
    high = samples.max().item()
    return _Range(low=low, high=high, findings=(STRETCHED,))


def _display_levels(
    samples: Samples, dataset: Dataset, value_range: _Range
) -> tuple[Levels, bool]:
    """Apply the modality transform, the file's lookup table or first window, and the polarity.

    Returns
    -------
    levels : uint8 in the shape of `samples`
    used_range : whether neither a table nor a window was there, so that `value_range` decided
    """
    values, low, high = _modality_values(samples, dataset, value_range)
    window = _window(dataset)
    used_range = False
    if dataset.get("VOILUTSequence"):
        levels = _looked_up(values, dataset)
    elif window:
        levels = window(values)
    else:
        levels = scale_to_byte(values, low, high)
        used_range = not dataset.get("ModalityLUTSequence")
    return (255 - levels if _is_inverted(dataset) else levels), used_range


def _is_inverted(dataset: Dataset) -> bool:
    """Return whether the smallest value is white.

    Presentation LUT Shape says it last (PS3.3, C.11.6.1.2), as in DCMTK and dcm4che; without it
    the photometric interpretation does.
    """
    shape = dataset.get("PresentationLUTShape")
    if shape in ("IDENTITY", "INVERSE"):
        return bool(shape == "INVERSE")
    return bool(dataset.get("PhotometricInterpretation") == "MONOCHROME1")


def _polarity_findings(dataset: Dataset) -> tuple[Finding, ...]:
    """Return a finding if the two attributes that say which value is white disagree."""
    shape = dataset.get("PresentationLUTShape")
    pair = (dataset.get("PhotometricInterpretation"), shape)
    contradictions = (("MONOCHROME1", "IDENTITY"), ("MONOCHROME2", "INVERSE"))
    return (POLARITY_UNCLEAR,) if pair in contradictions else ()


def _modality_values(
    samples: Samples, dataset: Dataset, value_range: _Range
) -> tuple[Samples, float, float]:
    """Return values of the modality, and those of the darkest and brightest stored value.

    An identity rescale changes nothing. A negative slope turns the greys round.
    """
    if dataset.get("ModalityLUTSequence"):
        table_bits = int(dataset.ModalityLUTSequence[0].LUTDescriptor[2])
        return apply_modality_lut(samples, dataset), 0, 2.0**table_bits - 1
    slope = float(dataset.get("RescaleSlope") or 1)
    intercept = float(dataset.get("RescaleIntercept") or 0)
    if (slope, intercept) == (1, 0):
        return samples, value_range.low, value_range.high
    ends = (slope * value_range.low + intercept, slope * value_range.high + intercept)
    return samples * slope + intercept, min(ends), max(ends)


def _looked_up(values: Samples, dataset: Dataset) -> Levels:
    """Apply the lookup table of values of interest."""
    item = dataset.VOILUTSequence[0]
    bits = int(item.LUTDescriptor[2])
    looked_up = apply_voi_lut(np.rint(values).astype(np.int64), dataset)
    white, _ = white_level(np.asarray(item.LUTData, np.int64), bits)
    return scale_to_byte(looked_up, 0, white)


def _window(dataset: Dataset) -> Callable[[Samples], Levels] | None:
    """Return the function of the first window (PS3.3, C.11.2.1.2 and C.11.2.1.3).

    None if there is no usable window.
    """
    centre = _first(dataset.get("WindowCenter"))
    width = _first(dataset.get("WindowWidth"))
    if centre is None or width is None or width <= 1:
        return None
    if dataset.get("VOILUTFunction") == "SIGMOID":
        return lambda values: _sigmoid(values, centre, width)
    low = centre - 0.5 - (width - 1) / 2
    high = centre - 0.5 + (width - 1) / 2
    if dataset.get("VOILUTFunction") == "LINEAR_EXACT":
        low = centre - width / 2
        high = centre + width / 2
    return lambda values: scale_to_byte(values, low, high)


def _sigmoid(values: Samples, centre: float, width: float) -> Levels:
    exponent = np.clip(-4 * (values.astype(np.float64) - centre) / width, -700, 700)
    return np.rint(255 / (1 + np.exp(exponent))).astype(np.uint8)


def _first(value: MultiValue[float] | float | None) -> float | None:
    """Return the first number of a data element, or None if there is no finite number."""
    if isinstance(value, MultiValue):
        value = value[0] if value else None
    if value is None or not np.isfinite(float(value)):
        return None
    return float(value)
