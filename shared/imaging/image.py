"""The image types that every stage after decoding works on."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray


class ImageFormat(StrEnum):
    PNG = "png"
    JPEG = "jpeg"
    BMP = "bmp"
    TIFF = "tiff"
    DICOM = "dicom"


@dataclass(frozen=True)
class Finding:
    """Something the reader should know about an image; becomes a warning of the result."""

    code: str
    message: str


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels of the image as uploaded, from its upper left corner."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True)
class Header:
    """What the first bytes say, before any pixel is decoded."""

    format: ImageFormat
    width: int
    height: int
    frames: int = 1


@dataclass(frozen=True, eq=False)
class UltrasoundImage:
    """A decoded, trusted image: `pixels` is (height, width) uint8 grey."""

    pixels: NDArray[np.uint8]
    format: ImageFormat
    spacing_mm: tuple[float, float] | None = None
    """Row and column spacing in mm, where the file is calibrated."""
    region: Box | None = None
    """The B-mode area, where the file names it (DICOM Sequence of Ultrasound Regions)."""
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, eq=False)
class Nodule:
    """The region of interest: `pixels` (h, w) uint8 grey crop, `mask` (h, w) bool of the nodule inside it."""

    pixels: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    outlined: bool = False
    """True where a polygon or mask was given, so that shape features mean something."""
    findings: tuple[Finding, ...] = ()
