"""De-identifies a DICOM file: header, coded frames, and pixels outside the ultrasound regions."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from struct import error

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmwrite
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless

from shared.domain.results.findings import Finding
from shared.imaging.deidentify.cleaned import CleanedFile
from shared.imaging.deidentify.dicom.header import clean_header, count_removed
from shared.imaging.deidentify.dicom.regions import (
    blank_stored,
    mask_boxes,
    mask_outside,
)
from shared.imaging.deidentify.formats.jpeg import clean_jpeg
from shared.imaging.deidentify.formats.jpeg2000 import clean_j2k
from shared.imaging.dicom.calibration import picture_regions
from shared.imaging.dicom.codestream import (
    JP2_START,
    Coding,
    Colour,
    describe_codestream,
)
from shared.imaging.dicom.dataset import read_dataset
from shared.imaging.dicom.decoders import encode_j2k
from shared.imaging.dicom.encapsulated import (
    count_frames,
    extended_offsets,
    without_fill,
)
from shared.imaging.dicom.findings import contradiction
from shared.imaging.dicom.frame import Frame, decode_frame
from shared.imaging.dicom.greyscale import black_value
from shared.imaging.dicom.length import expected_bytes, settle_length
from shared.imaging.dicom.pixel_format import PixelFormat, read_pixel_format
from shared.imaging.dicom.preamble import DICOM_PREFIX, DICOM_PREFIX_OFFSET
from shared.imaging.dicom.reader import check_decodable
from shared.imaging.errors import ImageUnreadable
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
Pixels = NDArray[np.number]
Mask = NDArray[np.bool_] | None
BLANKED = "pixels-outside-regions"
WHOLE_BYTE_BITS = 8


@dataclass(frozen=True, eq=False)
class _Pixels:
    """What the pixels of a file are, and which of them become black.

    Attributes
    ----------
    mask : (height, width), True where every frame becomes black; None for nowhere
    """

    pixel_format: PixelFormat
    header: Header
    mask: Mask


class DecodingNeeded(Exception):
    """The pixels must be looked at to be cleaned, and that is not allowed in this process."""


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
    may_decode : whether frames may be decoded in this process, uncompressed ones included
    text_boxes : places of text that become black in every frame, too

    Raises
    ------
    DecodingNeeded
        if decoding is needed and `may_decode` is False, mostly to see which value is black.
    """
    source, findings = read_dataset(data)
    check_decodable(source)
    pixel_format, names = _settle_pixels(source, read_pixel_format(source), header)
    findings = (*findings, *contradiction(names))
    size = {"width": header.width, "height": header.height}
    outside = mask_outside(picture_regions(source, **size), **size)
    mask = mask_boxes(outside, text_boxes, **size)
    is_masked = mask is not None
    is_compressed = source.file_meta.TransferSyntaxUID.is_encapsulated
    is_header_enough = not is_compressed and _header_says_black(pixel_format)
    if is_masked and not is_header_enough and not may_decode:
        raise DecodingNeeded
    must_recode = _needs_decoding(source, pixel_format, header, is_masked)
    target = clean_header(source, key, pixels_cleaned=is_masked)
    removed = Counter({"preamble": int(_has_preamble(data))})
    if is_compressed and not must_recode:
        must_recode = not _copy_frames(
            target, source, frame_count=header.frames, removed=removed
        )
    if must_recode and not may_decode:
        raise DecodingNeeded
    pixels = _Pixels(pixel_format=pixel_format, header=header, mask=mask)
    if must_recode:
        findings = (*findings, *_recode(target, source, pixels, limits))
    elif not is_compressed:
        _copy_stored(target, source, pixels, removed)
    removed += count_removed(source, target)
    removed += Counter({BLANKED: int(outside is not None)})
    return CleanedFile(
        data=_dataset_bytes(target),
        removed=+removed,
        findings=tuple(dict.fromkeys(findings)),
    )


def _settle_pixels(
    source: Dataset, pixel_format: PixelFormat, header: Header
) -> tuple[PixelFormat, list[str]]:
    """Compare the amount of pixel data with the header.

    Returns
    -------
    pixel_format : what the pixels are
    names : the attributes that the pixels contradict

    Raises
    ------
    ImageTruncated, ImageUnreadable
        if uncompressed pixels are too short or too long.
    """
    if source.file_meta.TransferSyntaxUID.is_encapsulated:
        has_more_frames = count_frames(source) > header.frames
        return pixel_format, ["Number of Frames"] if has_more_frames else []
    return settle_length(source, pixel_format, header)


def _has_preamble(data: bytes) -> bool:
    is_present = data[DICOM_PREFIX_OFFSET:].startswith(DICOM_PREFIX)
    return is_present and bool(data[:DICOM_PREFIX_OFFSET].strip(b"\0"))


def _needs_decoding(
    source: Dataset, pixel_format: PixelFormat, header: Header, is_masked: bool
) -> bool:
    """Return whether the pixels must be decoded to be cleaned.

    Uncompressed pixels are blanked in place where each value stands alone in whole bytes and is
    what the header says.
    """
    syntax = source.file_meta.TransferSyntaxUID
    if syntax.is_encapsulated:
        return is_masked or syntax not in COPIED_SYNTAXES
    if not is_masked or _header_says_black(pixel_format):
        return False
    is_subsampled = pixel_format.interpretation == "YBR_FULL_422"
    is_partial = pixel_format.bits_allocated != pixel_format.bits_stored
    if is_subsampled or is_partial or pixel_format.bits_allocated < WHOLE_BYTE_BITS:
        return True
    return bool(decode_frame(source, header, 0).findings)


def _header_says_black(pixel_format: PixelFormat) -> bool:
    """Return whether the header alone says which value of uncompressed pixels is black.

    It does for grey of 8 bits: no other depth can be meant, and no other colours.
    """
    is_grey = pixel_format.interpretation in ("MONOCHROME1", "MONOCHROME2")
    bits = {pixel_format.bits_allocated, pixel_format.bits_stored}
    is_whole_byte = bits == {WHOLE_BYTE_BITS} and not pixel_format.is_signed
    return is_grey and is_whole_byte and not pixel_format.guessed


def _copy_frames(
    target: Dataset, source: Dataset, frame_count: int, removed: Counter[str]
) -> bool:
    """Copy the coded frames without their comments.

    Returns
    -------
    False if a frame is too irregular to be parsed

    Raises
    ------
    UnsupportedImage
        if a frame's colours are coded in a segment that would be removed.
    """
    frames = generate_frames(
        source.PixelData,
        number_of_frames=frame_count,
        extended_offsets=extended_offsets(source),
    )
    try:
        cleaned_frames = [_clean_frame(without_fill(frame)) for frame in frames]
    except (ValueError, IndexError, error):
        return False
    for frame in cleaned_frames:
        for name, count in frame.removed.items():
            removed[f"frame-{name}"] += count
    target.PixelData = encapsulate([frame.data for frame in cleaned_frames])
    target["PixelData"].VR = "OB"
    return True


def _clean_frame(frame: bytes) -> CleanedFile:
    codestream = describe_codestream(frame)
    if codestream is None:
        raise ValueError("a frame of another encoding")
    if frame.startswith(JP2_START) and codestream.colour is Colour.YBR:
        raise ValueError("a frame whose boxes say what its colours are")
    is_j2k = codestream.coding in (Coding.JPEG_2000, Coding.HTJ2K)
    return clean_j2k(frame) if is_j2k else clean_jpeg(frame)


def _copy_stored(
    target: Dataset,
    source: Dataset,
    pixels: _Pixels,
    removed: Counter[str],
) -> None:
    """Copy uncompressed pixels, and nothing after the frames."""
    pixel_format = pixels.pixel_format
    element = source[pixel_format.keyword]
    length = expected_bytes(pixel_format, pixels.header)
    data = element.value[:length]
    trailing = element.value[length + length % 2 :]
    removed["trailing"] += int(bool(trailing.strip(b"\0")))
    if pixels.mask is not None:
        data = blank_stored(
            data,
            pixels.mask,
            blacks=_stored_blacks(source, pixel_format, pixels.header),
            pixel_format=pixel_format,
            is_little_endian=source.file_meta.TransferSyntaxUID.is_little_endian,
        )
    if length % 2:
        data += b"\0"
    vr = element.VR
    if pixel_format.keyword == "PixelData":
        vr = "OW" if pixel_format.bits_allocated > 8 or element.VR == "OW" else "OB"
    target[pixel_format.keyword] = DataElement(element.tag, vr, data)


def _recode(
    target: Dataset, source: Dataset, pixels: _Pixels, limits: Limits
) -> list[Finding]:
    """Decode, blank and code frame by frame, so that only one frame is decoded at a time.

    The new header says what the pixels of the first frame are. Frames may differ in colour and
    depth, as their codestreams say.

    Returns
    -------
    findings : what the old header said wrongly, and the new file no longer shows
    """
    header = pixels.header
    pixel_format = pixels.pixel_format
    samples = pixel_format.samples
    pixel_count = header.width * header.height * header.frames
    decoded_bytes = pixel_count * samples * pixel_format.bits_allocated // 8
    if decoded_bytes > limits.max_inflated_mib * 2**20:
        raise limits.too_large()
    is_small = min(header.width, header.height) < MIN_CODED_SIDE_PX
    is_uncompressed = pixel_format.bits_allocated > MAX_CODED_BITS or is_small
    findings: list[Finding] = []
    coded_frames: list[bytes] = []
    for index in range(header.frames):
        frame = decode_frame(source, header, index)
        findings.extend(frame.findings)
        if index == 0:
            _describe_pixels(target, frame)
        blanked = _blanked(frame, source, pixels.mask)
        if not is_uncompressed:
            coded_frames.append(encode_j2k(blanked, frame.bits))
        elif _is_described(target, frame):
            coded_frames.append(_little_endian_bytes(blanked))
        else:
            raise ImageUnreadable(
                format="DICOM", problem="its frames differ in depth or colour"
            )
    if is_uncompressed:
        target.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        data = b"".join(coded_frames)
        target.PixelData = data + b"\0" * (len(data) % 2)
    else:
        target.file_meta.TransferSyntaxUID = JPEG2000Lossless
        target.PixelData = encapsulate(coded_frames)
        if target.SamplesPerPixel == 3:
            target.PhotometricInterpretation = "YBR_RCT"
    has_words = is_uncompressed and target.BitsAllocated > 8
    target["PixelData"].VR = "OW" if has_words else "OB"
    return findings


def _describe_pixels(target: Dataset, frame: Frame) -> None:
    """Write what the samples of a frame are into the header."""
    is_colour = frame.samples.ndim == 3
    target.SamplesPerPixel = 3 if is_colour else 1
    target.PhotometricInterpretation = frame.interpretation
    if is_colour:
        target.PlanarConfiguration = 0
    elif "PlanarConfiguration" in target:
        del target.PlanarConfiguration
    target.BitsAllocated = _container_bits(frame)
    target.BitsStored = frame.bits
    target.HighBit = frame.bits - 1
    target.PixelRepresentation = int(frame.is_signed)


def _is_described(target: Dataset, frame: Frame) -> bool:
    """Return whether the header describes the samples of a frame."""
    described = (
        target.PhotometricInterpretation,
        target.BitsStored,
        target.PixelRepresentation,
    )
    return described == (frame.interpretation, frame.bits, int(frame.is_signed))


def _container_bits(frame: Frame) -> int:
    return next(bits for bits in (8, 16, 32, 64) if bits >= frame.bits)


def _blanked(frame: Frame, source: Dataset, mask: Mask) -> Pixels:
    """Return the samples in the smallest container, with the masked pixels black."""
    kind = "i" if frame.is_signed else "u"
    container = np.dtype(f"{kind}{_container_bits(frame) // 8}")
    pixels = np.array(frame.samples, container, order="C")
    if mask is not None:
        is_colour = frame.interpretation == "RGB"
        pixels[mask] = 0 if is_colour else black_value(frame, source)
    return pixels


def _stored_blacks(
    source: Dataset, pixel_format: PixelFormat, header: Header
) -> list[int | float | list[int]]:
    """Return for each uncompressed frame the value of a black pixel, or of its samples."""
    if _header_says_black(pixel_format):
        any_frame = Frame(
            samples=np.zeros((1, 1), np.uint8),
            bits=WHOLE_BYTE_BITS,
            is_signed=False,
            interpretation=pixel_format.interpretation,
        )
        return [black_value(any_frame, source)] * header.frames
    if pixel_format.samples == 1:
        frames = (decode_frame(source, header, index) for index in range(header.frames))
        return [black_value(frame, source) for frame in frames]
    mid_chroma = 2 ** (pixel_format.bits_stored - 1)
    is_ybr = pixel_format.interpretation == "YBR_FULL"
    black = [0, mid_chroma, mid_chroma] if is_ybr else [0, 0, 0]
    return [black] * header.frames


def _little_endian_bytes(pixels: Pixels) -> bytes:
    return pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()


def _dataset_bytes(target: Dataset) -> bytes:
    stream = BytesIO()
    dcmwrite(stream, target, enforce_file_format=True)
    return stream.getvalue()
