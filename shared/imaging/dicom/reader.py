"""Reads DICOM through pydicom: the header, one frame in 8-bit grey, and the calibration."""

from typing import BinaryIO

from pydicom.dataset import Dataset

from shared.imaging.dicom.calibration import calibrate
from shared.imaging.dicom.dataset import (
    REQUIRED_INTEGERS,
    attribute_error,
    read_dataset,
    read_elements,
)
from shared.imaging.dicom.decoders import READ_SYNTAXES
from shared.imaging.dicom.device import DEVICE_TAGS, device
from shared.imaging.dicom.findings import frame_findings
from shared.imaging.dicom.frame import decode_frame
from shared.imaging.dicom.greyscale import greyscale
from shared.imaging.dicom.pixel_format import PIXEL_DATA_KEYWORDS
from shared.imaging.errors import UnsupportedImage
from shared.imaging.image import Header, ImageFormat, UltrasoundImage
from shared.imaging.library_errors import translate_library_errors
from shared.imaging.limits import Limits

HEADER_TAGS = (*REQUIRED_INTEGERS, "NumberOfFrames", *DEVICE_TAGS)
VIDEO_NAMES = ("MPEG", "HEVC", "SMPTE")
"""How the names of video encodings start (PS3.6, annex A)."""


def read_header(stream: BinaryIO, limits: Limits) -> Header:
    """Read the rows, columns, number of frames and the scanner. Stop at the pixel data."""
    with translate_library_errors(ImageFormat.DICOM, limits):
        return _header(read_elements(stream, limits, HEADER_TAGS))


def read_image(
    data: bytes, *, header: Header, limits: Limits, index: int, is_requested: bool
) -> UltrasoundImage:
    """Decode one frame and read the calibration.

    Parameters
    ----------
    data : the whole file
    header : the header of the same file
    limits : maximum size of the decoded image
    index : index of the frame from 0
    is_requested : whether the caller asked for this frame
    """
    with translate_library_errors(ImageFormat.DICOM, limits):
        dataset, header_findings = read_dataset(data)
        check_decodable(dataset)
        frame = decode_frame(dataset, header, index)
        pixels, grey_findings = greyscale(frame, dataset)
        calibration = calibrate(dataset, width=header.width, height=header.height)
        return UltrasoundImage(
            pixels=pixels,
            format=ImageFormat.DICOM,
            spacing_mm=calibration.spacing_mm,
            region=calibration.region,
            regions=calibration.regions,
            findings=(
                *frame_findings(header.frames, index=index, is_requested=is_requested),
                *header_findings,
                *frame.findings,
                *grey_findings,
                *calibration.findings,
            ),
        )


def _header(dataset: Dataset) -> Header:
    if "Rows" not in dataset and "Columns" not in dataset:
        raise UnsupportedImage(problem="The DICOM file holds no image")
    for keyword in ("Rows", "Columns"):
        if not dataset.get(keyword):
            raise attribute_error(keyword, "is missing or 0")
    return Header(
        format=ImageFormat.DICOM,
        width=int(dataset.Columns),
        height=int(dataset.Rows),
        frames=max(int(dataset.get("NumberOfFrames") or 1), 1),
        device=device(dataset),
    )


def check_decodable(dataset: Dataset) -> None:
    """Check that a file has pixels in an encoding that can be read.

    Raises
    ------
    UnsupportedImage
    """
    if not any(keyword in dataset for keyword in PIXEL_DATA_KEYWORDS):
        raise UnsupportedImage(
            problem="The DICOM file holds no pixel data, or is cut short"
        )
    syntax = dataset.file_meta.TransferSyntaxUID
    name = syntax.name if syntax.is_transfer_syntax else "an unknown transfer syntax"
    if name.startswith(VIDEO_NAMES):
        raise UnsupportedImage(
            problem=f"The DICOM file is a video ({name}), which is not read. "
            "Export a still image, or the loop as JPEG frames"
        )
    if syntax not in READ_SYNTAXES:
        raise UnsupportedImage(
            problem=f"DICOM pixel data encoded as {name} are not read"
        )
