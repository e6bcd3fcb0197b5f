"""The DICOM greyscale pipeline (PS3.4, N.2), and which stored value it shows as black.

The modality transform, the window and the polarity convert stored values to 8 bits. Without a
window the declared depth decides, never the picture's own smallest and largest value, unless a
finding says so.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from shared.domain.results.findings import Finding
from shared.imaging.dicom.frame import Frame
from shared.imaging.dicom.lookup import read_table
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


WINDOW_UNUSABLE = Finding(
    "window-unusable",
    "The file's window or lookup table shows almost nothing of the picture, so it was left aside. "
    "Compare the picture with the original.",
)
LEAST_CONTRAST = 0.25
"""Share of the contrast by depth that a window or lookup table leaves, at least."""
VISIBLE_LEVEL = 16
"""Level below which a pixel is background."""
MIDDLE_PERCENTS = (5, 95)


@dataclass(frozen=True)
class _Range:
    """The stored values that are shown black and white where no window says it."""

    low: float
    high: float
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, eq=False)
class _Display:
    """How stored values of a frame become grey levels, and what had to be guessed for it."""

    to_levels: Callable[[Samples], Levels]
    findings: tuple[Finding, ...]


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
    padding = _bright_padding(frame, dataset)
    picture = frame.samples if padding is None else frame.samples[~padding]
    display = _display(picture, frame, dataset)
    pixels = display.to_levels(frame.samples)
    if padding is not None:
        pixels[padding] = 0
    return pixels, (*display.findings, *_polarity_findings(dataset))


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
    padding = _bright_padding(frame, dataset)
    picture = frame.samples if padding is None else frame.samples[~padding]
    value_range = _value_range(picture, frame)
    values = np.array([value_range.low, value_range.high])
    if frame.samples.dtype.kind != "f" and frame.bits <= MAX_DECLARED_BITS:
        inner_values = np.arange(int(value_range.low), int(value_range.high) + 1)
        values = np.concatenate([values.astype(int), inner_values])
    levels = _display(picture, frame, dataset).to_levels(values[None])
    darkest: int | float = values[levels.argmin()].item()
    return darkest


def _bright_padding(frame: Frame, dataset: Dataset) -> NDArray[np.bool_] | None:
    """Return the pixels that pad the picture, if the padding is brighter than the picture.

    Padding is background, and none of the picture's depth (PS3.3, C.7.5.1.1.2). Darker padding is
    shown black anyway.
    """
    value = dataset.get("PixelPaddingValue")
    if not isinstance(value, int):
        return None
    padding: NDArray[np.bool_] = frame.samples == value
    if not padding.any() or padding.all() or value <= frame.samples[~padding].max():
        return None
    return padding


def _value_range(picture: Samples, frame: Frame) -> _Range:
    """Return the stored values that are black and white.

    Parameters
    ----------
    picture : the samples of the frame without padding, of any shape
    frame : what the samples are
    """
    if picture.dtype.kind == "f" and not np.isfinite(picture).all():
        raise ValueError("pixel values that are no numbers")
    if picture.dtype.kind == "f" or frame.bits > MAX_DECLARED_BITS:
        return _stretched(picture)
    if not frame.is_signed:
        white, findings = white_level(picture, frame.bits)
        return _Range(low=0, high=white, findings=findings)
    if frame.bits == MAX_DECLARED_BITS:
        return _stretched(picture)
    half = 2 ** (frame.bits - 1)
    white, findings = white_level(picture.astype(np.int64) + half, frame.bits)
    return _Range(low=-half, high=white - half, findings=findings)


def _stretched(samples: Samples) -> _Range:
    low = samples.min().item()
    high = samples.max().item()
    return _Range(low=low, high=high, findings=(STRETCHED,))


def _display(picture: Samples, frame: Frame, dataset: Dataset) -> _Display:
    """Return the modality transform, the lookup table or first window, and the polarity in one.

    A table or window that hides the picture is left aside.
    """
    to_values, value_range = _modality(_value_range(picture, frame), dataset)
    to_presentation = _presentation(dataset)

    def by_depth(samples: Samples) -> Levels:
        values = to_values(samples)
        return scale_to_byte(values, value_range.low, value_range.high)

    to_levels, findings = _values_of_interest(dataset)
    if to_levels is None:
        return _Display(
            to_levels=lambda samples: to_presentation(by_depth(samples)),
            findings=value_range.findings,
        )
    levels = by_depth(picture)
    is_visible = levels >= VISIBLE_LEVEL
    contrast = _contrast(to_levels(to_values(picture[is_visible])))
    if contrast < LEAST_CONTRAST * _contrast(levels[is_visible]):
        return _Display(
            to_levels=lambda samples: to_presentation(by_depth(samples)),
            findings=(*value_range.findings, WINDOW_UNUSABLE),
        )
    return _Display(
        to_levels=lambda samples: to_presentation(to_levels(to_values(samples))),
        findings=findings,
    )


def _contrast(levels: Levels) -> float:
    """Return the levels that the middle of all pixels covers; 0 without pixels."""
    if not levels.size:
        return 0
    low, high = np.percentile(levels, MIDDLE_PERCENTS)
    return float(high - low)


def _presentation(dataset: Dataset) -> Callable[[Levels], Levels]:
    """Return the last step: a presentation table, or the polarity."""
    table = read_table(dataset, "PresentationLUTSequence")
    if table is None:
        is_inverted = _is_inverted(dataset)
        return lambda levels: 255 - levels if is_inverted else levels
    last = len(table.entries) - 1
    return lambda levels: scale_to_byte(
        table.apply(table.first + levels * (last / 255)), 0, table.white
    )


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


def _modality(
    stored_range: _Range, dataset: Dataset
) -> tuple[Callable[[Samples], Samples], _Range]:
    """Return the modality transform, and the values of the darkest and brightest stored value.

    An identity rescale changes nothing. A negative slope turns the greys round.
    """
    table = read_table(dataset, "ModalityLUTSequence")
    if table is not None:
        return table.apply, _Range(low=0, high=table.white, findings=table.findings)
    slope = float(dataset.get("RescaleSlope") or 1)
    intercept = float(dataset.get("RescaleIntercept") or 0)
    if (slope, intercept) == (1, 0):
        return lambda samples: samples, stored_range
    ends = [slope * end + intercept for end in (stored_range.low, stored_range.high)]
    value_range = replace(stored_range, low=min(ends), high=max(ends))
    return lambda samples: samples * slope + intercept, value_range


def _values_of_interest(
    dataset: Dataset,
) -> tuple[Callable[[Samples], Levels] | None, tuple[Finding, ...]]:
    """Return the function of the lookup table or of the first window, if there is one."""
    table = read_table(dataset, "VOILUTSequence")
    if table is None:
        return _window(dataset), ()
    return (
        lambda values: scale_to_byte(table.apply(values), 0, table.white),
        table.findings,
    )


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
