"""From a file's bytes to a trusted image, a region of interest and a normalised array."""

from shared.imaging.calipers import (
    Mark,
    MarkKind,
    find_marks,
    remove_marks,
    roi_from_marks,
)
from shared.imaging.decode import decode
from shared.imaging.errors import (
    EmptyImage,
    FrameMissing,
    ImageBlank,
    ImageDecoderFailed,
    ImageTooLarge,
    ImageTooSmall,
    ImageUnreadable,
    MaskMismatch,
    MaskUnclear,
    RoiInvalid,
    RoiOutsideImage,
    RoiTooSmall,
    UnsupportedImage,
)
from shared.imaging.file_type import inspect
from shared.imaging.image import Box, Header, ImageFormat, Nodule, UltrasoundImage
from shared.imaging.limits import Limits
from shared.imaging.regions.crop import (
    FoundOutlines,
    Framing,
    ProposedRoi,
    crop,
    find_outlines,
)
from shared.imaging.regions.marked_image import MarkedImage
from shared.imaging.regions.mask import NoduleMask, read_mask
from shared.imaging.regions.normalise import to_input
from shared.imaging.regions.roi import Click, Prompt, Roi, parse_prompt
from shared.imaging.regions.size import diameter_mm
from shared.imaging.regions.space import to_upright

__all__ = [
    "Box",
    "Click",
    "EmptyImage",
    "FoundOutlines",
    "FrameMissing",
    "Framing",
    "Header",
    "ImageBlank",
    "ImageDecoderFailed",
    "ImageFormat",
    "ImageTooLarge",
    "ImageTooSmall",
    "ImageUnreadable",
    "Limits",
    "Mark",
    "MarkKind",
    "MarkedImage",
    "MaskMismatch",
    "MaskUnclear",
    "Nodule",
    "NoduleMask",
    "Prompt",
    "ProposedRoi",
    "Roi",
    "RoiInvalid",
    "RoiOutsideImage",
    "RoiTooSmall",
    "UltrasoundImage",
    "UnsupportedImage",
    "crop",
    "decode",
    "diameter_mm",
    "find_marks",
    "find_outlines",
    "inspect",
    "parse_prompt",
    "read_mask",
    "remove_marks",
    "roi_from_marks",
    "to_input",
    "to_upright",
]
