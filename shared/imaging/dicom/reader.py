"""Reads DICOM through pydicom: the header, one frame in 8-bit grey, and the calibration."""

import zlib
from io import BytesIO
from typing import BinaryIO

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import get_frame
from pydicom.filereader import _read_file_meta_info, read_preamble
from pydicom.pixels import get_decoder, pixel_array
from pydicom.uid import DeflatedExplicitVRLittleEndian

from shared.domain.results.findings import Finding
from shared.imaging.dicom.calibration import calibrate
from shared.imaging.dicom.codestream import declared_size
from shared.imaging.dicom.device import DEVICE_TAGS, device
from shared.imaging.dicom.greyscale import greyscale
from shared.imaging.errors import ImageUnreadable, UnsupportedImage
from shared.imaging.image import Header, ImageFormat, UltrasoundImage
from shared.imaging.library_errors import translate_library_errors
from shared.imaging.limits import Limits

HEADER_TAGS = ("Rows", "Columns", "NumberOfFrames", *DEVICE_TAGS)
PIXEL_DATA_KEYWORDS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")


def read_header(stream: BinaryIO, limits: Limits) -> Header:
    """Read the rows, columns, number of frames and the scanner. Stop at the pixel data."""
    with translate_library_errors(ImageFormat.DICOM, limits):
        _check_inflated_size(stream, limits)
        dataset = dcmread(
            stream, stop_before_pixels=True, specific_tags=list(HEADER_TAGS)
        )
        return _header(dataset)


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
        dataset = dcmread(BytesIO(data))
        check_decodable(dataset)
        _check_frame_size(dataset, index, header)
        frame = pixel_array(dataset, index=index)
        pixels, colour_findings = greyscale(frame, dataset)
        calibration = calibrate(dataset, width=header.width, height=header.height)
        frame_findings = _frame_findings(
            header.frames, index=index, is_requested=is_requested
        )
        return UltrasoundImage(
            pixels=pixels,
            format=ImageFormat.DICOM,
            spacing_mm=calibration.spacing_mm,
            region=calibration.region,
            findings=(*frame_findings, *colour_findings, *calibration.findings),
        )


def _header(dataset: Dataset) -> Header:
    width = dataset.get("Columns")
    height = dataset.get("Rows")
    if width is None or height is None:
        raise UnsupportedImage(problem="The DICOM file holds no image")
    frames = max(int(dataset.get("NumberOfFrames") or 1), 1)
    return Header(
        format=ImageFormat.DICOM,
        width=int(width),
        height=int(height),
        frames=frames,
        device=device(dataset),
    )


def _check_inflated_size(stream: BinaryIO, limits: Limits) -> None:
    """Check that a deflated data set stays within bounds, because pydicom inflates it whole."""
    read_preamble(stream, force=False)
    syntax = _read_file_meta_info(stream).get("TransferSyntaxUID")
    if syntax == DeflatedExplicitVRLittleEndian:
        max_bytes = limits.max_inflated_mib * 2**20
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        inflated = inflater.decompress(stream.read(), max_bytes + 1)
        if len(inflated) > max_bytes:
            raise limits.too_large()
    stream.seek(0)


def check_decodable(dataset: Dataset) -> None:
    """Check that a file has pixels in an encoding that can be read.

    Raises
    ------
    UnsupportedImage
    """
    if not any(keyword in dataset for keyword in PIXEL_DATA_KEYWORDS):
        raise UnsupportedImage(problem="The DICOM file holds no pixel data")
    syntax = dataset.file_meta.TransferSyntaxUID
    try:
        is_decodable = get_decoder(syntax).is_available
    except NotImplementedError:
        is_decodable = False
    if not is_decodable:
        raise UnsupportedImage(
            problem=f"DICOM pixel data encoded as {syntax.name} are not read"
        )


def _check_frame_size(dataset: Dataset, index: int, header: Header) -> None:
    """Check that a compressed frame has the size in the header, which was checked before."""
    if not dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        return
    frame = get_frame(dataset.PixelData, index, number_of_frames=header.frames)
    size = declared_size(frame)
    if size not in (None, (header.width, header.height)):
        raise ImageUnreadable(
            format="DICOM",
            problem="its compressed frame has another size than its header says",
        )


def _frame_findings(frames: int, index: int, is_requested: bool) -> tuple[Finding, ...]:
    if frames == 1:
        return ()
    number = index + 1
    reason = "as chosen" if is_requested else "the middle one"
    finding = Finding(
        "multi-frame",
        f"The file holds {frames} frames; frame {number}, {reason}, was read.",
        {"frames": frames, "frame": number},
    )
    return (finding,)
