"""What a compressed DICOM frame says about itself, in its own header.

A DICOM header may contradict its frames. The frames are decoded by what is read here.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from struct import unpack_from

from shared.imaging.errors import UnsupportedImage

JPEG_START = b"\xff\xd8"
J2K_START = b"\xff\x4f\xff\x51"
JP2_START = b"\x00\x00\x00\x0cjP  "
COLOUR_BOX = b"colr"
ENUMERATED = 1
SYCC = 18
"""The method and the colour space of luma and chroma in a colour box."""
TABLE_MARKERS = {0xC4, 0xC8, 0xCC}
"""Tables whose markers are in the range of start-of-frame markers (ITU-T T.81, table B.1)."""
SOF_BASELINE, SOF_EXTENDED, SOF_PROGRESSIVE = 0xC0, 0xC1, 0xC2
DCT_FRAMES = {SOF_BASELINE, SOF_EXTENDED, SOF_PROGRESSIVE}
JPEG_LS_FRAME = 0xF7
APP0, APP8, APP14 = 0xE0, 0xE8, 0xEE
FILL_BYTE = 0xFF
MARKERS_WITHOUT_LENGTH = {0x01, FILL_BYTE, *range(0xD0, 0xD9)}
RGB_IDS = ((82, 71, 66), (114, 103, 98))
"""Component ids `RGB` and `rgb` in ASCII."""
J2K_COD = 0xFF52
J2K_CAP = 0xFF50
J2K_SOT = 0xFF90
MAX_SEGMENTS = 1_000
RLE_SAMPLE_BYTES = (1, 2, 4, 8)


class Coding(StrEnum):
    """The family of a codestream; the value is its name in messages."""

    JPEG_DCT = "JPEG"
    JPEG_LOSSLESS = "JPEG Lossless"
    JPEG_LS = "JPEG-LS"
    JPEG_2000 = "JPEG 2000"
    HTJ2K = "High-Throughput JPEG 2000"
    RLE = "RLE"


class Colour(StrEnum):
    """What the three decoded samples of a pixel are."""

    RGB = "RGB"
    YBR = "YBR"


@dataclass(frozen=True)
class Codestream:
    """The description of a frame by its own codestream.

    Attributes
    ----------
    coding : the family
    size : width and height in pixels; None for RLE, which does not say them
    components : samples of a pixel
    precision : bits of a sample; for RLE the bits of its container
    colour : what three decoded samples are, if the codestream says so
    is_subsampled : whether the components differ in their sampling
    is_signed : whether the samples are signed; None where the codestream does not say it
    """

    coding: Coding
    size: tuple[int, int] | None
    components: int
    precision: int
    colour: Colour | None = None
    is_subsampled: bool = False
    is_signed: bool | None = None


@dataclass
class _JpegMarkers:
    """The colour information in the segments before the frame of a JPEG."""

    has_jfif: bool = False
    adobe_transform: int | None = None
    has_ls_transform: bool = False


def describe_codestream(frame: bytes) -> Codestream | None:
    """Return the description of a JPEG, JPEG-LS or JPEG 2000 frame; None for other bytes.

    Raises
    ------
    ValueError, IndexError, struct.error
        if the frame ends before its description.
    UnsupportedImage
        if it has a colour transform that no standard describes.
    """
    if frame.startswith(JPEG_START):
        return _describe_jpeg(frame)
    bare = without_boxes(frame)
    if not bare.startswith(J2K_START):
        return None
    codestream = _describe_j2k(bare)
    if codestream.components == 3 and _has_sycc_box(frame):
        return replace(codestream, colour=Colour.YBR)
    return codestream


def without_boxes(frame: bytes) -> bytes:
    """Return a JPEG 2000 codestream without the boxes of a JP2 file; others as they are.

    Decoders convert colour by the boxes, some more and some less. DICOM has none (PS3.5, 8.2.4).
    """
    is_boxed = frame.startswith(JP2_START)
    return frame[frame.index(J2K_START) :] if is_boxed else frame


def _has_sycc_box(frame: bytes) -> bool:
    """Return whether a colour box says luma and chroma (ITU-T T.800, I.5.3.3)."""
    if not frame.startswith(JP2_START):
        return False
    boxes = frame[: frame.index(J2K_START)]
    offset = boxes.find(COLOUR_BOX)
    if offset < 0:
        return False
    method, _, _, colour_space = unpack_from(">BBBI", boxes, offset + len(COLOUR_BOX))
    return bool(method == ENUMERATED and colour_space == SYCC)


def describe_rle(frame: bytes, samples: int) -> Codestream:
    """Return the description of an RLE frame (PS3.5, annex G).

    Each sample has one segment for each of its bytes.

    Parameters
    ----------
    frame : the coded frame
    samples : samples of a pixel in the DICOM header; they divide the segments if they can

    Raises
    ------
    ValueError, struct.error
        if the number of segments fits no image.
    """
    (segments,) = unpack_from("<I", frame)
    for components in (samples, 3, 1):
        sample_bytes, rest = divmod(segments, components)
        if rest == 0 and sample_bytes in RLE_SAMPLE_BYTES:
            return Codestream(
                coding=Coding.RLE,
                size=None,
                components=components,
                precision=8 * sample_bytes,
            )
    raise ValueError("a number of RLE segments that no image has")


def _describe_jpeg(frame: bytes) -> Codestream:
    markers = _JpegMarkers()
    offset = len(JPEG_START)
    while True:
        marker_offset = frame.index(b"\xff", offset) + 1
        (marker,) = unpack_from(">B", frame, marker_offset)
        if marker in MARKERS_WITHOUT_LENGTH:
            offset = marker_offset if marker == FILL_BYTE else marker_offset + 1
            continue
        (length,) = unpack_from(">H", frame, marker_offset + 1)
        segment = frame[marker_offset + 3 : marker_offset + 1 + length]
        if _starts_frame(marker):
            return _jpeg_frame(marker, segment, markers)
        _read_application_segment(marker, segment, markers)
        offset = marker_offset + 1 + max(length, 2)


def _starts_frame(marker: int) -> bool:
    is_start_of_frame = 0xC0 <= marker <= 0xCF and marker not in TABLE_MARKERS
    return is_start_of_frame or marker == JPEG_LS_FRAME


def _read_application_segment(
    marker: int, segment: bytes, markers: _JpegMarkers
) -> None:
    if marker == APP0 and segment.startswith(b"JFIF\0"):
        markers.has_jfif = True
    elif marker == APP14 and segment.startswith(b"Adobe") and len(segment) > 11:
        markers.adobe_transform = segment[11]
    elif marker == APP8 and segment.startswith(b"mrfx") and len(segment) > 4:
        markers.has_ls_transform = segment[4] != 0


def _jpeg_frame(marker: int, segment: bytes, markers: _JpegMarkers) -> Codestream:
    """Read the start of frame: precision, lines, samples and components (ITU-T T.81, B.2.2).

    JFIF describes JPEG of the discrete cosine transform alone; on others its marker says nothing.
    Lossless JPEG and JPEG-LS code unsigned numbers, in which DICOM also stores two's complement
    (PS3.5, 8.2.1 and 8.2.3).
    """
    precision, height, width, components = unpack_from(">BHHB", segment)
    if markers.has_ls_transform:
        raise UnsupportedImage(
            problem="DICOM frames of JPEG-LS with a colour transform outside the standard "
            "are not read"
        )
    ids = tuple(segment[6 : 6 + 3 * components : 3])
    samplings = set(segment[7 : 6 + 3 * components : 3])
    if len(ids) < components or not samplings:
        raise ValueError("a start of frame without its components")
    is_subsampled = len(samplings) > 1
    coding = _jpeg_coding(marker)
    is_dct = coding is Coding.JPEG_DCT
    if not is_dct:
        markers.has_jfif = False
    return Codestream(
        coding=coding,
        size=(width, height),
        components=components,
        precision=precision,
        colour=_jpeg_colour(ids, is_subsampled, markers),
        is_subsampled=is_subsampled,
        is_signed=False if is_dct else None,
    )


def _jpeg_coding(marker: int) -> Coding:
    if marker in DCT_FRAMES:
        return Coding.JPEG_DCT
    return Coding.JPEG_LS if marker == JPEG_LS_FRAME else Coding.JPEG_LOSSLESS


def _jpeg_colour(
    ids: tuple[int, ...], is_subsampled: bool, markers: _JpegMarkers
) -> Colour | None:
    """Return what the samples are, in the order of libjpeg: JFIF, Adobe, component ids.

    Only chroma may be subsampled, so a subsampled frame is never RGB.
    """
    if len(ids) != 3:
        return None
    if markers.has_jfif:
        return Colour.YBR
    if markers.adobe_transform is not None:
        return Colour.YBR if markers.adobe_transform else Colour.RGB
    if ids in RGB_IDS:
        return Colour.RGB
    return Colour.YBR if is_subsampled else None


def _describe_j2k(frame: bytes) -> Codestream:
    """Read the image area, the components and the colour transform (ITU-T T.800, A.5, A.6)."""
    right, bottom, left, top = unpack_from(">IIII", frame, len(J2K_START) + 4)
    (components,) = unpack_from(">H", frame, 40)
    sign_bits = {frame[42 + 3 * index] >> 7 for index in range(components)}
    precisions = {1 + (frame[42 + 3 * index] & 0x7F) for index in range(components)}
    samplings = {frame[43 + 3 * index : 45 + 3 * index] for index in range(components)}
    has_transform, is_high_throughput = _j2k_coding(frame)
    is_subsampled = len(samplings) > 1
    colour = None
    if has_transform:
        colour = Colour.RGB
    elif is_subsampled:
        colour = Colour.YBR
    return Codestream(
        coding=Coding.HTJ2K if is_high_throughput else Coding.JPEG_2000,
        size=(right - left, bottom - top),
        components=components,
        precision=max(precisions),
        colour=colour if components == 3 else None,
        is_subsampled=is_subsampled,
        is_signed=1 in sign_bits,
    )


def _j2k_coding(frame: bytes) -> tuple[bool, bool]:
    """Return whether the frame has a colour transform, and whether it is high-throughput."""
    is_high_throughput = False
    offset = 2
    for _ in range(MAX_SEGMENTS):
        marker, length = unpack_from(">HH", frame, offset)
        if marker == J2K_COD:
            return frame[offset + 8] == 1, is_high_throughput
        if marker == J2K_SOT:
            break
        is_high_throughput = is_high_throughput or marker == J2K_CAP
        offset += 2 + length
    raise ValueError("no coding style before the first tile")
