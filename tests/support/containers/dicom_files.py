"""The picture in every DICOM pixel format that the decoders take."""

from collections.abc import Iterator
from io import BytesIO

import numpy as np
from imagecodecs import htj2k_encode
from numpy.typing import NDArray
from PIL import Image
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.pixels import get_encoder
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    RLELossless,
)

from tests.support.builders import dicom_file
from tests.support.containers.container import (
    Container,
    grey_picture,
    luma,
    tinted_picture,
    widen,
)

UNCOMPRESSED_SYNTAXES = {
    "explicit": ExplicitVRLittleEndian,
    "implicit": ImplicitVRLittleEndian,
    "big": ExplicitVRBigEndian,
    "deflated": DeflatedExplicitVRLittleEndian,
}
DEPTHS = ((8, 8, 7), (16, 8, 7), (16, 10, 9), (16, 12, 11), (16, 12, 15), (16, 16, 15))
"""Bits allocated, bits stored and high bit."""
IDENTITY_RESCALE = {"RescaleSlope": 1, "RescaleIntercept": 0, "RescaleType": "US"}
J2K_LABELS = (
    ("YBR_RCT", "YBR_RCT", False),
    ("YBR_RCT", "RGB", False),
    ("YBR_RCT", "YBR_FULL", True),
    ("RGB", "RGB", False),
    ("RGB", "YBR_RCT", True),
)
"""What the codestream does, what the header calls it, and whether that is a finding.

RGB is what a decoder returns for a stream with a colour transform of its own, so many files say so.
A stream without one may hold RGB or YBR_FULL; there the header's word holds.
"""
INVERSE_FINDINGS = {
    "MONOCHROME1": frozenset(),
    "MONOCHROME2": frozenset({"polarity-unclear"}),
}
"""PS3.3, C.11.6.1.2 asks for MONOCHROME1 with a Presentation LUT Shape of INVERSE."""
CONTRADICTION = frozenset({"header-contradicts-pixels"})


def uncompressed_containers() -> Iterator[Container]:
    """Yield grey, colour and palette files in the four uncompressed transfer syntaxes."""
    yield from _grey_files()
    yield from _colour_files()
    yield from _palette_files()


def encapsulated_containers() -> Iterator[Container]:
    """Yield RLE and JPEG 2000 lossless files, with headers that are right and wrong."""
    yield from _grey_codings()
    yield from _colour_codings()
    yield from _htj2k_files()


def wrong_jpeg_headers() -> Iterator[Container]:
    """Yield JPEG baseline frames under headers that contradict them; compare with the codestream."""
    options = {
        "rgb": {"keep_rgb": True, "subsampling": "4:4:4"},
        "ycbcr-444": {"subsampling": "4:4:4"},
        "ycbcr-420": {"subsampling": "4:2:0"},
    }
    for coding, coding_options in options.items():
        for has_marker in (True, False):
            frame = _jpeg(tinted_picture(), **coding_options)
            if not has_marker:
                frame = _without_application_markers(frame)
            for interpretation in ("RGB", "YBR_FULL", "YBR_FULL_422"):
                for planar in (0, 1):
                    marker = "marked" if has_marker else "unmarked"
                    name = f"jpeg-{coding}-{marker}-as-{interpretation}-planar-{planar}"
                    yield Container(
                        name,
                        _with_frame(
                            tinted_picture(),
                            frame,
                            JPEGBaseline8Bit,
                            PhotometricInterpretation=interpretation,
                            PlanarConfiguration=planar,
                        ),
                    )


def codestream(data: bytes) -> bytes:
    """The first coded frame of a DICOM file."""
    dataset = dcmread(BytesIO(data))
    return next(generate_frames(dataset.PixelData, number_of_frames=1))


def changed(data: bytes, syntax: UID | None = None, **elements: object) -> bytes:
    """The file with other elements, and in another uncompressed transfer syntax."""
    dataset = dcmread(BytesIO(data))
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    if syntax == ExplicitVRBigEndian and dataset.BitsAllocated == 16:
        words = np.frombuffer(dataset.PixelData, "<u2")
        dataset.PixelData = words.astype(">u2").tobytes()
    if syntax is not None:
        dataset.file_meta.TransferSyntaxUID = syntax
    return _bytes(dataset, syntax)


def _bytes(dataset: Dataset, syntax: UID | None) -> bytes:
    stream = BytesIO()
    if syntax is None:
        dataset.save_as(stream, enforce_file_format=True)
    else:
        fresh = Dataset()
        fresh.update(dataset)
        fresh.file_meta = dataset.file_meta
        fresh.save_as(
            stream,
            implicit_vr=syntax.is_implicit_VR,
            little_endian=syntax.is_little_endian,
            enforce_file_format=True,
        )
    return stream.getvalue()


def _stored(
    grey: NDArray[np.uint8], allocated: int, stored: int, high_bit: int
) -> NDArray[np.integer]:
    if allocated == 8:
        return grey
    return widen(grey, bits=stored) << (high_bit + 1 - stored)


def _grey_files() -> Iterator[Container]:
    grey = grey_picture()
    for allocated, stored, high_bit in DEPTHS:
        depth = {"BitsStored": stored, "HighBit": high_bit}
        for interpretation in ("MONOCHROME2", "MONOCHROME1"):
            is_inverted = interpretation == "MONOCHROME1"
            source = 255 - grey if is_inverted else grey
            values = _stored(source, allocated, stored, high_bit)
            plain = dicom_file(
                values, PhotometricInterpretation=interpretation, **depth
            )
            kind = f"{interpretation.lower()}-{allocated}-{stored}-{high_bit}"
            for syntax_name, syntax in UNCOMPRESSED_SYNTAXES.items():
                data = changed(plain, syntax)
                yield Container(f"dicom-{kind}-{syntax_name}", data, grey)
            rescaled = changed(plain, **IDENTITY_RESCALE)
            yield Container(f"dicom-{kind}-identity-rescale", rescaled, grey)
        values = _stored(255 - grey, allocated, stored, high_bit)
        for interpretation, findings in INVERSE_FINDINGS.items():
            inverse = dicom_file(
                values,
                PhotometricInterpretation=interpretation,
                PresentationLUTShape="INVERSE",
                **depth,
            )
            kind = f"{interpretation.lower()}-{allocated}-{stored}-{high_bit}"
            yield Container(f"dicom-inverse-{kind}", inverse, grey, findings)


def _colour_files() -> Iterator[Container]:
    rgb = tinted_picture()
    expected = luma(rgb)
    planes = np.ascontiguousarray(np.moveaxis(rgb, -1, 0))
    for planar in (0, 1):
        plain = dicom_file(rgb, PlanarConfiguration=planar)
        if planar:
            plain = changed(plain, PixelData=planes.tobytes())
        for syntax_name, syntax in UNCOMPRESSED_SYNTAXES.items():
            yield Container(
                f"dicom-rgb-planar-{planar}-{syntax_name}",
                changed(plain, syntax),
                expected,
            )
    for stored in (8, 12, 16):
        data = dicom_file(
            widen(rgb, bits=stored), BitsStored=stored, HighBit=stored - 1
        )
        yield Container(f"dicom-rgb-16-{stored}", data, expected)


def _palette_files() -> Iterator[Container]:
    grey = grey_picture()
    for is_inverted in (False, True):
        indices = 255 - grey if is_inverted else grey
        for bits in (8, 16):
            levels = np.arange(256, dtype=np.uint16)
            if is_inverted:
                levels = levels[::-1]
            table = levels * 257 if bits == 16 else levels.astype(np.uint8)
            elements = _palette_elements(table, entries=256, bits=bits)
            name = f"dicom-palette-{bits}" + ("-inverted" if is_inverted else "")
            yield Container(name, dicom_file(indices, **elements), grey)
    low = _palette_elements(np.arange(256, dtype=np.uint16), entries=256, bits=16)
    yield Container(
        "dicom-palette-8-in-16",
        dicom_file(grey, **low),
        grey,
        frozenset({"depth-guessed"}),
    )


def _palette_elements(
    table: NDArray[np.integer], entries: int, bits: int
) -> dict[str, object]:
    elements: dict[str, object] = {"PhotometricInterpretation": "PALETTE COLOR"}
    for colour in ("Red", "Green", "Blue"):
        keyword = f"{colour}PaletteColorLookupTable"
        elements[f"{keyword}Descriptor"] = [entries, 0, bits]
        elements[f"{keyword}Data"] = table.tobytes()
    return elements


def _with_frame(
    values: NDArray[np.integer], frame: bytes, syntax: UID, **elements: object
) -> bytes:
    """A file whose header describes `values`, changed by `elements`, around a coded frame."""
    dataset = dcmread(BytesIO(dicom_file(values, **elements)))
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.PixelData = encapsulate([frame])
    dataset["PixelData"].VR = "OB"
    return _bytes(dataset, syntax=None)


def _coded(
    values: NDArray[np.integer], syntax: UID, interpretation: str, **elements: object
) -> bytes:
    """Encode with pydicom; `elements` then contradict the frame or not."""
    is_colour = values.ndim == 3
    bits = values.dtype.itemsize * 8
    stored = int(elements.get("BitsStored", bits))
    frame = get_encoder(syntax).encode(
        np.ascontiguousarray(values),
        rows=values.shape[0],
        columns=values.shape[1],
        samples_per_pixel=3 if is_colour else 1,
        number_of_frames=1,
        bits_allocated=bits,
        bits_stored=stored,
        pixel_representation=0,
        photometric_interpretation=interpretation,
        planar_configuration=0,
    )
    header = {
        "PhotometricInterpretation": interpretation,
        "HighBit": stored - 1,
        **elements,
    }
    return _with_frame(values, frame, syntax, **header)


def _grey_codings() -> Iterator[Container]:
    grey = grey_picture()
    for name, syntax in (("rle", RLELossless), ("j2k", JPEG2000Lossless)):
        for interpretation in ("MONOCHROME2", "MONOCHROME1"):
            is_inverted = interpretation == "MONOCHROME1"
            source = 255 - grey if is_inverted else grey
            for stored in (8, 12, 16):
                values = source if stored == 8 else widen(source, bits=stored)
                data = _coded(values, syntax, interpretation, BitsStored=stored)
                yield Container(
                    f"dicom-{name}-{interpretation.lower()}-{stored}", data, grey
                )


def _colour_codings() -> Iterator[Container]:
    rgb = tinted_picture()
    expected = luma(rgb)
    for planar in (0, 1):
        rle = _coded(rgb, RLELossless, "RGB", PlanarConfiguration=planar)
        yield Container(f"dicom-rle-rgb-planar-{planar}", rle, expected)
        for coding, label, is_contradicted in J2K_LABELS:
            findings = CONTRADICTION if is_contradicted or planar else frozenset()
            data = _coded(
                rgb,
                JPEG2000Lossless,
                coding,
                PhotometricInterpretation=label,
                PlanarConfiguration=planar,
            )
            name = f"dicom-j2k-{coding}-as-{label}-planar-{planar}"
            yield Container(name, data, expected, findings)


def _htj2k_files() -> Iterator[Container]:
    grey = grey_picture()
    for bits in (8, 16):
        values = grey if bits == 8 else widen(grey, bits=bits)
        frame = htj2k_encode(values)
        data = _with_frame(values, frame, HTJ2KLossless)
        yield Container(f"dicom-htj2k-grey-{bits}", data, grey)
    rgb = tinted_picture()
    frame = htj2k_encode(rgb)
    for label in ("YBR_RCT", "RGB"):
        data = _with_frame(rgb, frame, HTJ2KLossless, PhotometricInterpretation=label)
        yield Container(f"dicom-htj2k-rgb-as-{label}", data, luma(rgb))


def _jpeg(rgb: NDArray[np.uint8], **options: object) -> bytes:
    stream = BytesIO()
    Image.fromarray(rgb).save(stream, "JPEG", quality=95, **options)
    return stream.getvalue()


def _without_application_markers(frame: bytes) -> bytes:
    """Remove APP0 (JFIF) and APP14 (Adobe), which say how colour is coded."""
    output = bytearray(frame[:2])
    offset = 2
    while frame[offset + 1] != 0xDA:
        length = int.from_bytes(frame[offset + 2 : offset + 4])
        segment = frame[offset : offset + 2 + length]
        if segment[1] not in (0xE0, 0xEE):
            output += segment
        offset += 2 + length
    return bytes(output) + frame[offset:]
