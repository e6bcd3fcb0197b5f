"""De-identifies a DICOM file: header, coded frames, and pixels outside the ultrasound regions."""

from collections import Counter
from collections.abc import Iterator, Sequence
from io import BytesIO
from struct import error

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread, dcmwrite
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.pixels import get_encoder, iter_pixels
from pydicom.pixels.utils import get_expected_length
from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless

from shared.imaging.deidentify.cleaned import CleanedFile
from shared.imaging.deidentify.dicom.header import clean_header, count_removed
from shared.imaging.deidentify.dicom.profile import PIXEL_ATTRIBUTES
from shared.imaging.deidentify.dicom.regions import (
    blank_frame,
    blank_stored,
    mask_boxes,
    mask_outside,
)
from shared.imaging.deidentify.formats.jpeg import clean_jpeg
from shared.imaging.deidentify.formats.jpeg2000 import clean_j2k
from shared.imaging.dicom.calibration import ultrasound_regions
from shared.imaging.dicom.reader import check_decodable
from shared.imaging.errors import ImageTruncated
from shared.imaging.image import Box, Header
from shared.imaging.limits import Limits

JPEG_SYNTAXES = {
    "1.2.840.10008.1.2.4.50",
    "1.2.840.10008.1.2.4.51",
    "1.2.840.10008.1.2.4.57",
    "1.2.840.10008.1.2.4.70",
}
JPEG_LS_SYNTAXES = {"1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.81"}
J2K_SYNTAXES = {"1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91"}
COPIED_SYNTAXES = JPEG_SYNTAXES | JPEG_LS_SYNTAXES | J2K_SYNTAXES
"""Compressed frames that are cleaned without decoding."""
MAX_CODED_BITS = 16
MIN_CODED_SIDE_PX = 64
"""Largest depth and smallest side of a frame that is coded as JPEG 2000.

Other frames, which are never ultrasound, become uncompressed.
"""
Frame = NDArray[np.number]
Mask = NDArray[np.bool_] | None
BLANKED = "pixels-outside-regions"
WHOLE_BYTE_BITS = (8, 16, 32)
PREAMBLE_BYTES = 128


class DecodingNeeded(Exception):
    """The pixels must be decoded to be cleaned, and decoding is not allowed in this process."""


def clean_dicom(
    data: bytes,
    key: bytes,
    header: Header,
    limits: Limits,
    may_decode: bool,
    text_boxes: Sequence[Box] = (),
) -> CleanedFile:
    """Remove everything about a patient from a DICOM file.

    Compressed frames stay compressed. If their pixels must be cleaned, they become JPEG 2000
    lossless.

    Parameters
    ----------
    data : the whole file
    key : secret of the installation; replaces UIDs
    header : the header of the same file
    limits : maximum size of the decoded frames
    may_decode : whether frames may be decoded in this process
    text_boxes : places of text that become black in every frame, too

    Raises
    ------
    DecodingNeeded
        if decoding is needed and `may_decode` is False.
    """
    source = dcmread(BytesIO(data))
    check_decodable(source)
    regions = ultrasound_regions(source, width=header.width, height=header.height)
    mask = mask_outside(regions, width=header.width, height=header.height)
    has_outside = mask is not None
    mask = mask_boxes(mask, text_boxes, width=header.width, height=header.height)
    is_masked = mask is not None
    is_compressed = source.file_meta.TransferSyntaxUID.is_encapsulated
    must_recode = _needs_decoding(source, is_masked)
    target = clean_header(source, key, pixels_cleaned=is_masked)
    has_preamble = bool(data[:PREAMBLE_BYTES].strip(b"\0"))
    removed = Counter({"preamble": int(has_preamble)})
    if is_compressed and not must_recode:
        was_copied = _copy_frames(
            target, source, frame_count=header.frames, removed=removed
        )
        must_recode = not was_copied
    if must_recode and not may_decode:
        raise DecodingNeeded
    if must_recode:
        _recode(target, source, header=header, mask=mask, limits=limits)
    elif not is_compressed:
        _copy_stored(target, source, mask=mask, removed=removed)
    removed += count_removed(source, target)
    removed += Counter({BLANKED: int(has_outside)})
    return CleanedFile(data=_dataset_bytes(target), removed=+removed)


def _needs_decoding(source: Dataset, is_masked: bool) -> bool:
    syntax = source.file_meta.TransferSyntaxUID
    if syntax.is_encapsulated:
        return is_masked or syntax not in COPIED_SYNTAXES
    is_subsampled = source.PhotometricInterpretation == "YBR_FULL_422"
    has_whole_bytes = source.BitsAllocated in WHOLE_BYTE_BITS
    return is_masked and (is_subsampled or not has_whole_bytes)


def _copy_frames(
    target: Dataset, source: Dataset, frame_count: int, removed: Counter[str]
) -> bool:
    """Copy the coded frames without their comments.

    Returns
    -------
    False if a frame is too irregular to be parsed
    """
    is_j2k = source.file_meta.TransferSyntaxUID in J2K_SYNTAXES
    clean_frame = clean_j2k if is_j2k else clean_jpeg
    frames = generate_frames(source.PixelData, number_of_frames=frame_count)
    try:
        cleaned_frames = [clean_frame(frame) for frame in frames]
    except (ValueError, IndexError, error):
        return False
    for frame in cleaned_frames:
        for name, count in frame.removed.items():
            removed[f"frame-{name}"] += count
    target.PixelData = encapsulate([frame.data for frame in cleaned_frames])
    target["PixelData"].VR = "OB"
    return True


def _copy_stored(
    target: Dataset, source: Dataset, mask: Mask, removed: Counter[str]
) -> None:
    """Copy uncompressed pixels, and nothing after the frames.

    Raises
    ------
    ImageTruncated
        if the pixels are shorter than the frames.
    """
    keyword = next(keyword for keyword in PIXEL_ATTRIBUTES if keyword in source)
    element = source[keyword]
    expected_bytes = get_expected_length(source)
    if keyword != "PixelData":
        target[keyword] = element
        return
    if len(element.value) < expected_bytes:
        raise ImageTruncated(
            format="DICOM", held=len(element.value), needed=expected_bytes
        )
    pixels = element.value[:expected_bytes]
    trailing = element.value[expected_bytes + expected_bytes % 2 :]
    removed["trailing"] += int(bool(trailing.strip(b"\0")))
    if mask is not None:
        pixels = blank_stored(pixels, mask, source)
    target.PixelData = pixels
    has_words = source.BitsAllocated > 8 or element.VR == "OW"
    target["PixelData"].VR = "OW" if has_words else "OB"


def _recode(
    target: Dataset, source: Dataset, header: Header, mask: Mask, limits: Limits
) -> None:
    """Decode, blank and code frame by frame, so that only one frame is decoded at a time."""
    samples = int(source.get("SamplesPerPixel", 1))
    bits = int(source.BitsAllocated)
    pixel_count = header.width * header.height * header.frames
    decoded_bytes = pixel_count * samples * bits // 8
    if decoded_bytes > limits.max_inflated_mib * 2**20:
        raise limits.too_large()
    if samples == 3:
        target.PhotometricInterpretation = "RGB"
        target.PlanarConfiguration = 0
    frames = _blanked_frames(source, target, mask)
    is_small = min(header.width, header.height) < MIN_CODED_SIDE_PX
    is_uncompressed = bits > MAX_CODED_BITS or is_small
    if is_uncompressed:
        target.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        target.PixelData = b"".join(_little_endian_bytes(frame) for frame in frames)
    else:
        target.file_meta.TransferSyntaxUID = JPEG2000Lossless
        target.PixelData = encapsulate([_encode_j2k(frame, target) for frame in frames])
        if samples == 3:
            target.PhotometricInterpretation = "YBR_RCT"
    target["PixelData"].VR = "OW" if is_uncompressed and bits > 8 else "OB"


def _blanked_frames(source: Dataset, target: Dataset, mask: Mask) -> Iterator[Frame]:
    for frame in iter_pixels(source):
        if mask is None:
            yield frame
        else:
            blanked = frame.copy()
            blank_frame(blanked, mask, target)
            yield blanked


def _little_endian_bytes(frame: Frame) -> bytes:
    return frame.astype(frame.dtype.newbyteorder("<")).tobytes()


def _encode_j2k(frame: Frame, target: Dataset) -> bytes:
    is_colour = target.PhotometricInterpretation == "RGB"
    interpretation = "YBR_RCT" if is_colour else target.PhotometricInterpretation
    return get_encoder(JPEG2000Lossless).encode(
        frame,
        rows=target.Rows,
        columns=target.Columns,
        samples_per_pixel=3 if is_colour else 1,
        number_of_frames=1,
        bits_allocated=target.BitsAllocated,
        bits_stored=target.BitsStored,
        pixel_representation=target.PixelRepresentation,
        photometric_interpretation=interpretation,
        planar_configuration=0,
        encoding_plugin="pylibjpeg",
    )


def _dataset_bytes(target: Dataset) -> bytes:
    stream = BytesIO()
    dcmwrite(stream, target, enforce_file_format=True)
    return stream.getvalue()
