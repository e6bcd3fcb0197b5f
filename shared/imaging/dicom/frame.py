"""Decodes one frame: the only place that decides what the samples of a DICOM file are.

Reading and de-identification both call it, so that they see the same picture. What a compressed
frame says about itself holds against the header; what the header says wrongly is a finding.
"""

from dataclasses import dataclass, replace
from io import BytesIO
from itertools import pairwise
from struct import unpack_from
from typing import Any

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.pixels import get_decoder
from pydicom.uid import UID, RLELossless

from shared.domain.results.findings import Finding
from shared.imaging.dicom.codestream import (
    Codestream,
    Coding,
    Colour,
    describe_codestream,
    describe_rle,
)
from shared.imaging.dicom.colour import (
    TRANSFORMED,
    is_coloured_throughout,
    labelled_colour,
    visible_colour,
    ybr_to_rgb,
)
from shared.imaging.dicom.damage import check_complete, check_undamaged
from shared.imaging.dicom.dataset import attribute_error
from shared.imaging.dicom.decoders import decode_codestream
from shared.imaging.dicom.encapsulated import coded_frame, count_frames
from shared.imaging.dicom.findings import (
    COLOUR_UNCLEAR,
    contradiction,
    values_guessed,
)
from shared.imaging.dicom.length import (
    MAX_PADDING_BYTES,
    SUBSAMPLED,
    settle_length,
    surplus_error,
    unpacked_bytes,
)
from shared.imaging.dicom.pixel_format import (
    CONTAINER_BITS,
    PixelFormat,
    read_pixel_format,
)
from shared.imaging.dicom.samples import (
    SIGN_NAME,
    Samples,
    clear_order,
    settle_bits,
    settle_byte_order,
    settle_sign,
    smoother_order,
    stored_bits,
)
from shared.imaging.errors import ImageUnreadable, UnsupportedImage
from shared.imaging.image import Header

EIGHT_BITS = 8
INTERPRETATION_NAME = "Photometric Interpretation"


@dataclass(frozen=True, eq=False)
class Frame:
    """The stored values of a decoded frame.

    Attributes
    ----------
    samples : (height, width) grey values or palette indices, or (height, width, 3) RGB
    bits : depth of the samples; the unused bits of their container are clear or the sign
    is_signed : whether the samples are signed
    interpretation : `RGB`, or the header's for one sample
    findings : contradictions between the header and the pixels
    """

    samples: Samples
    bits: int
    is_signed: bool
    interpretation: str
    findings: tuple[Finding, ...] = ()


def decode_frame(dataset: Dataset, header: Header, index: int) -> Frame:
    """Decode the frame with an index from 0.

    Parameters
    ----------
    dataset : from `read_dataset`
    header : size and number of frames of the same file

    Raises
    ------
    ImageUnreadable, UnsupportedImage
    """
    pixel_format = read_pixel_format(dataset)
    if dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        return _decode_compressed(dataset, header, index, pixel_format)
    return _decode_stored(dataset, header, index, pixel_format)


def _decode_stored(
    dataset: Dataset, header: Header, index: int, pixel_format: PixelFormat
) -> Frame:
    """Read a frame of uncompressed pixels."""
    pixel_format, length_names = settle_length(dataset, pixel_format, header)
    keyword = pixel_format.keyword
    element = dataset[keyword]
    has_planes = pixel_format.has_planes
    samples = _run_decoder(
        dataset.file_meta.TransferSyntaxUID,
        element.value,
        index=index,
        pixel_keyword=keyword,
        pixel_vr=element.VR,
        rows=header.height,
        columns=header.width,
        number_of_frames=header.frames,
        samples_per_pixel=pixel_format.samples,
        bits_allocated=pixel_format.bits_allocated,
        bits_stored=pixel_format.bits_stored,
        pixel_representation=int(pixel_format.is_signed),
        photometric_interpretation=pixel_format.interpretation,
        planar_configuration=int(bool(has_planes)),
    )
    if has_planes is None and pixel_format.samples == 3:
        samples = smoother_order(samples)
        guessed = (*pixel_format.guessed, "Planar Configuration")
        pixel_format = replace(pixel_format, guessed=guessed)
    elif pixel_format.samples == 3 and pixel_format.interpretation != SUBSAMPLED:
        actual = clear_order(samples, has_planes=bool(has_planes))
        length_names += [] if actual is samples else ["Planar Configuration"]
        samples = actual
    if samples.dtype.kind == "f":
        return Frame(
            samples=samples,
            bits=pixel_format.bits_allocated,
            is_signed=True,
            interpretation="MONOCHROME2",
            findings=contradiction(length_names),
        )
    samples, pixel_format, names = _settle_stored(samples, pixel_format)
    names = [*length_names, *names]
    return _finished(samples, pixel_format, colour=None, names=names)


def _settle_stored(
    samples: Samples, pixel_format: PixelFormat
) -> tuple[Samples, PixelFormat, list[str]]:
    """Settle byte order, depth and sign of samples that no codestream describes."""
    samples, order_names = settle_byte_order(samples, pixel_format)
    samples, pixel_format, bit_names = settle_bits(samples, pixel_format)
    samples, pixel_format, sign_names = settle_sign(samples, pixel_format)
    return samples, pixel_format, [*order_names, *bit_names, *sign_names]


def _decode_compressed(
    dataset: Dataset, header: Header, index: int, pixel_format: PixelFormat
) -> Frame:
    frame_count = count_frames(dataset)
    frame = coded_frame(dataset, index, frames=header.frames)
    codestream = _describe(dataset, frame, pixel_format)
    check_complete(frame, codestream)
    if codestream.size not in (None, (header.width, header.height)):
        raise ImageUnreadable(
            format="DICOM",
            problem="its compressed frame has another size than its header says",
        )
    if codestream.components == 3 and codestream.is_signed:
        raise UnsupportedImage(problem="DICOM frames of signed colour are not read")
    if codestream.components not in (1, 3):
        raise UnsupportedImage(
            problem=f"DICOM frames of {codestream.components} samples a pixel are not read"
        )
    names = _contradicted_names(dataset, codestream, pixel_format)
    if frame_count > header.frames:
        names.append("Number of Frames")
    if codestream.coding is Coding.RLE:
        _check_segments(frame, header)
    actual = _actual_format(codestream, pixel_format)
    samples, colour = _decode_codestream(frame, codestream, actual, header)
    check_undamaged(frame, codestream, samples)
    labelled = labelled_colour(pixel_format.interpretation)
    if codestream.colour not in (None, labelled):
        names.append(INTERPRETATION_NAME)
    if codestream.coding is Coding.RLE:
        samples, actual, settled_names = _settle_stored(samples, actual)
        return _finished(samples, actual, colour=colour, names=names + settled_names)
    if actual.is_signed:
        samples = stored_bits(samples, actual, shift=0)
    elif int(samples.max()) >= 2**actual.bits_stored:
        names.append("Bits Stored")
        actual = replace(actual, bits_stored=codestream.precision)
    samples, actual, sign_names = settle_sign(samples, actual)
    return _finished(samples, actual, colour=colour, names=names + sign_names)


def _check_segments(frame: bytes, header: Header) -> None:
    """Check that the segments of a run-length coded frame unpack to no more than its pixels.

    Raises
    ------
    ImageUnreadable
    """
    (count,) = unpack_from("<I", frame)
    offsets = [*unpack_from(f"<{count}I", frame, 4), len(frame)]
    needed = header.width * header.height
    for start, end in pairwise(offsets):
        held = unpacked_bytes(frame[start:end])
        if held > needed + MAX_PADDING_BYTES:
            raise surplus_error(held * count, needed * count)


def _describe(dataset: Dataset, frame: bytes, pixel_format: PixelFormat) -> Codestream:
    if dataset.file_meta.TransferSyntaxUID == RLELossless:
        return describe_rle(frame, pixel_format.samples)
    codestream = describe_codestream(frame)
    if codestream is None:
        raise attribute_error("TransferSyntaxUID", "is not that of its frames")
    return codestream


def _contradicted_names(
    dataset: Dataset, codestream: Codestream, pixel_format: PixelFormat
) -> list[str]:
    """Return the names of the attributes that the codestream contradicts."""
    names: list[str] = []
    if not _is_named_coding(dataset, codestream.coding):
        names.append("Transfer Syntax UID")
    if codestream.components != pixel_format.samples:
        names.append("Samples per Pixel")
    if codestream.is_signed not in (None, pixel_format.is_signed):
        names.append(SIGN_NAME)
    is_rle = codestream.coding is Coding.RLE
    is_j2k = codestream.coding in (Coding.JPEG_2000, Coding.HTJ2K)
    is_transformed = pixel_format.interpretation in TRANSFORMED
    if is_j2k and is_transformed and codestream.colour is not Colour.RGB:
        names.append(INTERPRETATION_NAME)
    if pixel_format.has_planes and codestream.components == 3 and not is_rle:
        names.append("Planar Configuration")
    if is_rle and codestream.precision != pixel_format.bits_allocated:
        names.append("Bits Allocated")
    elif codestream.precision < pixel_format.bits_stored:
        names.append("Bits Stored")
    return names


def _is_named_coding(dataset: Dataset, coding: Coding) -> bool:
    """Return whether the file's transfer syntax is one of a codestream's family."""
    name = dataset.file_meta.TransferSyntaxUID.name
    if coding is Coding.JPEG_DCT:
        return name.startswith(("JPEG Baseline", "JPEG Extended"))
    is_high_throughput = name.startswith("High-Throughput")
    if coding in (Coding.JPEG_2000, Coding.HTJ2K):
        return is_high_throughput == (coding is Coding.HTJ2K) and "2000" in name
    return name.startswith(coding)


def _actual_format(codestream: Codestream, pixel_format: PixelFormat) -> PixelFormat:
    """Return the header's description of the pixels, corrected by the codestream's."""
    precision = codestream.precision
    bits_allocated = next(bits for bits in CONTAINER_BITS if bits >= max(precision, 8))
    bits_stored = min(pixel_format.bits_stored, precision)
    high_bit = min(pixel_format.high_bit, bits_allocated - 1)
    if codestream.coding is Coding.RLE and precision != pixel_format.bits_allocated:
        bits_stored = precision
        high_bit = precision - 1
    is_signed = codestream.is_signed
    if is_signed is None:
        is_signed = pixel_format.is_signed
    interpretation = pixel_format.interpretation
    if codestream.components == 1 and pixel_format.samples != 1:
        interpretation = "MONOCHROME2"
    return replace(
        pixel_format,
        samples=codestream.components,
        bits_allocated=bits_allocated,
        bits_stored=bits_stored,
        high_bit=high_bit,
        is_signed=is_signed,
        interpretation=interpretation,
        has_planes=False,
        guessed=tuple(name for name in pixel_format.guessed if name != "Bits Stored"),
    )


def _decode_codestream(
    frame: bytes, codestream: Codestream, actual: PixelFormat, header: Header
) -> tuple[Samples, Colour | None]:
    """Return the samples, and what three of them are, if the codestream says so."""
    is_dct = codestream.coding is Coding.JPEG_DCT
    if is_dct and codestream.precision == EIGHT_BITS:
        colour = None if codestream.colour is None else Colour.RGB
        return _decode_jpeg(frame, codestream), colour
    if codestream.coding is not Coding.RLE:
        samples = decode_codestream(frame, codestream)
        return _as_signed(samples, is_signed=actual.is_signed), codestream.colour
    samples = _run_decoder(
        RLELossless,
        encapsulate([frame]),
        index=0,
        decoding_plugin="pydicom",
        pixel_keyword="PixelData",
        rows=header.height,
        columns=header.width,
        number_of_frames=1,
        samples_per_pixel=actual.samples,
        bits_allocated=actual.bits_allocated,
        bits_stored=codestream.precision,
        pixel_representation=int(actual.is_signed),
        photometric_interpretation="RGB" if actual.samples == 3 else "MONOCHROME2",
        planar_configuration=0,
    )
    return samples, codestream.colour


def _as_signed(samples: Samples, *, is_signed: bool) -> Samples:
    """Return the same bits as signed or unsigned numbers of the same width."""
    kind = "i" if is_signed else "u"
    return samples.view(np.dtype(f"{kind}{samples.dtype.itemsize}"))


def _run_decoder(syntax: UID, data: bytes, index: int, **options: int | str) -> Samples:
    """Return the samples of a frame as pydicom decodes them by these options alone.

    No colour is converted and no bit is cleared.
    """
    all_options: dict[str, Any] = {**options, "correct_unused_bits": False}
    decoder = get_decoder(syntax)
    samples, _ = decoder.as_array(data, index=index, raw=True, **all_options)
    return samples


def _decode_jpeg(frame: bytes, codestream: Codestream) -> Samples:
    """Decode a JPEG of 8 bits with libjpeg.

    Luma and chroma become RGB where the codestream says so. Where it says nothing, the samples
    stay as coded.
    """
    image = Image.open(BytesIO(frame), formats=("JPEG",))
    if codestream.components == 3 and codestream.colour is None:
        image.draft("YCbCr", image.size)
    return np.array(image)


def _finished(
    samples: Samples,
    pixel_format: PixelFormat,
    *,
    colour: Colour | None,
    names: list[str],
) -> Frame:
    """Return the frame with its samples as RGB, grey or indices, and its contradictions."""
    interpretation = pixel_format.interpretation
    colour_findings: tuple[Finding, ...] = ()
    if samples.ndim == 3:
        labelled = labelled_colour(interpretation)
        is_unclear = False
        if colour is None:
            visible = visible_colour(samples, pixel_format.bits_stored)
            is_unclear = visible is None
            colour = visible or labelled
            names += [] if colour is labelled else [INTERPRETATION_NAME]
        if colour is Colour.YBR:
            samples = ybr_to_rgb(samples, pixel_format.bits_stored)
        if is_unclear and is_coloured_throughout(samples, pixel_format.bits_stored):
            colour_findings = (COLOUR_UNCLEAR,)
        interpretation = "RGB"
    return Frame(
        samples=samples,
        bits=pixel_format.bits_stored,
        is_signed=pixel_format.is_signed,
        interpretation=interpretation,
        findings=(
            *values_guessed(pixel_format.guessed),
            *contradiction(dict.fromkeys(names)),
            *colour_findings,
        ),
    )
