"""Bytes -> trusted image -> region of interest -> normalised array."""

from shared.imaging.crop import crop
from shared.imaging.decode import decode
from shared.imaging.errors import (
    EmptyImage,
    ImageTooLarge,
    ImageTooSmall,
    ImageUnreadable,
    MaskMismatch,
    RoiInvalid,
    RoiOutsideImage,
    RoiTooSmall,
    UnsupportedImage,
)
from shared.imaging.image import Box, Finding, Header, ImageFormat, Nodule, UltrasoundImage
from shared.imaging.inspect import inspect
from shared.imaging.limits import Limits
from shared.imaging.mask import read_mask, read_outline
from shared.imaging.normalise import to_input
from shared.imaging.roi import Roi

__all__ = [
    "Box",
    "EmptyImage",
    "Finding",
    "Header",
    "ImageFormat",
    "ImageTooLarge",
    "ImageTooSmall",
    "ImageUnreadable",
    "Limits",
    "MaskMismatch",
    "Nodule",
    "Roi",
    "RoiInvalid",
    "RoiOutsideImage",
    "RoiTooSmall",
    "UltrasoundImage",
    "UnsupportedImage",
    "crop",
    "decode",
    "inspect",
    "read_mask",
    "read_outline",
    "to_input",
]
