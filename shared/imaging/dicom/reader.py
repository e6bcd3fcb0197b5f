"""DICOM through pydicom: the header, one frame in 8-bit grey, and the calibration of ultrasound regions."""

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
from shared.imaging.library_errors import reading
from shared.imaging.limits import Limits

HEADER_TAGS = ("Rows", "Columns", "NumberOfFrames", *DEVICE_TAGS)


def read_header(stream: BinaryIO, kind: ImageFormat, limits: Limits) -> Header:
    """Rows, columns, number of frames and the scanner; reading stops before the pixel data."""
    with reading(kind, limits):
        _refuse_inflation(stream, limits)
        dataset = dcmread(
            stream, stop_before_pixels=True, specific_tags=list(HEADER_TAGS)
        )
        return _header(dataset)


def read_image(
    data: bytes, header: Header, limits: Limits, index: int, chosen: bool
) -> UltrasoundImage:
    """Decode the frame of an index from 0 and read the calibration. `header` is of the same bytes."""
    with reading(ImageFormat.DICOM, limits):
        dataset = dcmread(BytesIO(data))
        check_decodable(dataset)
        _check_frame(dataset, index, header)
        pixels, colour = greyscale(pixel_array(dataset, index=index), dataset)
        calibration = calibrate(dataset, header.width, header.height)
        findings = (
            *_frame_finding(header.frames, index, chosen),
            *colour,
            *calibration.findings,
        )
        return UltrasoundImage(
            pixels,
            ImageFormat.DICOM,
            calibration.spacing_mm,
            calibration.region,
            findings,
        )


def _header(dataset: Dataset) -> Header:
    width = dataset.get("Columns")
    height = dataset.get("Rows")
    if width is None or height is None:
        raise UnsupportedImage(problem="The DICOM file holds no image")
    frames = max(int(dataset.get("NumberOfFrames") or 1), 1)
    return Header(ImageFormat.DICOM, int(width), int(height), frames, device(dataset))


def _refuse_inflation(stream: BinaryIO, limits: Limits) -> None:
    """A deflated data set is inflated whole by pydicom, so see first that it stays within bounds."""
    read_preamble(stream, force=False)
    syntax = _read_file_meta_info(stream).get("TransferSyntaxUID")
    if syntax == DeflatedExplicitVRLittleEndian:
        bound = limits.max_inflated_mib * 2**20
        if (
            len(
                zlib.decompressobj(-zlib.MAX_WBITS).decompress(stream.read(), bound + 1)
            )
            > bound
        ):
            raise limits.too_large()
    stream.seek(0)


def check_decodable(dataset: Dataset) -> None:
    """Refuse a file without pixels, or of an encoding that nothing here reads (`UnsupportedImage`)."""
    if not any(
        name in dataset
        for name in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
    ):
        raise UnsupportedImage(problem="The DICOM file holds no pixel data")
    syntax = dataset.file_meta.TransferSyntaxUID
    try:
        decodable = get_decoder(syntax).is_available
    except NotImplementedError:
        decodable = False
    if not decodable:
        raise UnsupportedImage(
            problem=f"DICOM pixel data encoded as {syntax.name} are not read"
        )


def _check_frame(dataset: Dataset, index: int, header: Header) -> None:
    """A compressed frame must have the size that was let in."""
    if not dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        return
    size = declared_size(
        get_frame(dataset.PixelData, index, number_of_frames=header.frames)
    )
    if size not in (None, (header.width, header.height)):
        raise ImageUnreadable(
            format="DICOM",
            problem="its compressed frame has another size than its header says",
        )


def _frame_finding(frames: int, index: int, chosen: bool) -> tuple[Finding, ...]:
    if frames == 1:
        return ()
    why = "as chosen" if chosen else "the middle one"
    return (
        Finding(
            "multi-frame",
            f"The file holds {frames} frames; frame {index + 1}, {why}, was read.",
            {"frames": frames, "frame": index + 1},
        ),
    )
