"""Opens a DICOM file, and repairs what in its header needs no guess.

Files without a preamble or without file meta information are read. Values that are no numbers are
left aside with a finding, or refused by the name of their attribute where decoding needs them.
"""

import math
import re
import zlib
from collections.abc import Sequence
from io import BytesIO
from typing import BinaryIO

from pydicom import dcmread
from pydicom.datadict import dictionary_description
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filereader import _read_file_meta_info, read_preamble
from pydicom.multival import MultiValue
from pydicom.tag import Tag
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
)

from shared.domain.results.findings import Finding
from shared.imaging.dicom.codestream import Coding, describe_codestream
from shared.imaging.dicom.encapsulated import coded_frame, drop_wrong_offsets
from shared.imaging.dicom.findings import contradiction, values_left_aside
from shared.imaging.dicom.functional_groups import flatten_grey_groups
from shared.imaging.dicom.preamble import without_leading_bytes
from shared.imaging.errors import ImageUnreadable
from shared.imaging.limits import Limits

ITEM_TAG = b"\xfe\xff\x00\xe0"
"""The start of encapsulated pixel data (PS3.5, A.4)."""
CODING_SYNTAXES: dict[Coding, UID] = {
    Coding.JPEG_DCT: JPEGBaseline8Bit,
    Coding.JPEG_LOSSLESS: JPEGLosslessSV1,
    Coding.JPEG_LS: JPEGLSLossless,
    Coding.JPEG_2000: JPEG2000Lossless,
    Coding.HTJ2K: HTJ2KLossless,
}
"""The transfer syntax under which frames of a coding are read where the file names none."""
REQUIRED_INTEGERS = (
    "Rows",
    "Columns",
    "SamplesPerPixel",
    "PlanarConfiguration",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
)
"""Numbers without which pixels cannot be decoded. An absent one may follow from the others."""
OPTIONAL_NUMBERS = (
    "NumberOfFrames",
    "PixelSpacing",
    "PixelAspectRatio",
    "PixelPaddingValue",
    "RescaleSlope",
    "RescaleIntercept",
    "WindowCenter",
    "WindowWidth",
    "UltrasoundColorDataPresent",
)
UNUSED_NUMBERS = ("PixelAspectRatio", "UltrasoundColorDataPresent")
"""Numbers that no step needs, so that their loss needs no finding."""
SINGLE_NUMBERS = (
    *REQUIRED_INTEGERS,
    "NumberOfFrames",
    "PixelPaddingValue",
    "RescaleSlope",
    "RescaleIntercept",
)
"""Numbers of which there is one. The same number written several times is that number."""
COMPANIONS = {
    "WindowCenter": "WindowWidth",
    "WindowWidth": "WindowCenter",
    "RescaleSlope": "RescaleIntercept",
    "RescaleIntercept": "RescaleSlope",
}
"""A number that means nothing without another one."""
TABLES = ("ModalityLUTSequence", "VOILUTSequence", "PresentationLUTSequence")
SEQUENCES = ("SequenceOfUltrasoundRegions", *TABLES)
INTERPRETATIONS = (
    "MONOCHROME1",
    "MONOCHROME2",
    "PALETTE COLOR",
    "RGB",
    "YBR_FULL",
    "YBR_FULL_422",
    "YBR_ICT",
    "YBR_RCT",
    "YBR_PARTIAL_420",
    "YBR_PARTIAL_422",
)
DECIMAL_COMMA = re.compile(r"\d+,\d+")


def read_elements(stream: BinaryIO, limits: Limits, keywords: Sequence[str]) -> Dataset:
    """Read a few elements of a file, and stop at the pixel data.

    Values that are no numbers are left out.

    Raises
    ------
    ImageTooLarge
        if a deflated data set inflates beyond the bounds.
    ImageUnreadable
        if a number that decoding needs is none.
    """
    stream = without_leading_bytes(stream)
    _check_inflated_size(stream, limits)
    dataset = dcmread(
        stream, stop_before_pixels=True, force=True, specific_tags=list(keywords)
    )
    _repair_numbers(dataset)
    return dataset


def read_dataset(data: bytes) -> tuple[Dataset, tuple[Finding, ...]]:
    """Read a whole file and repair its header in place.

    Returns
    -------
    dataset : every number that decoding, scale or display use is a number or absent;
        `file_meta.TransferSyntaxUID` is the encoding of its pixels
    findings : what was left aside or contradicts the pixels

    Raises
    ------
    ImageUnreadable
        if a number that decoding needs is none.
    """
    dataset = dcmread(without_leading_bytes(BytesIO(data)), force=True)
    syntax_findings = _settle_transfer_syntax(dataset)
    dropped = flatten_grey_groups(dataset)
    dropped += _repair_numbers(dataset)
    dropped += _drop_unreadable_sequences(dataset)
    _normalise_codes(dataset)
    return dataset, (*syntax_findings, *values_left_aside(dropped))


def attribute_name(keyword: str) -> str:
    """Return name and tag of an attribute, such as `Bits Stored (0028,0101)`."""
    tag = Tag(keyword)
    return f"{dictionary_description(tag)} ({tag.group:04X},{tag.element:04X})"


def attribute_error(keyword: str, problem: str) -> ImageUnreadable:
    """Build the error that names an attribute of the header, but never its value."""
    return ImageUnreadable(
        format="DICOM", problem=f"its {attribute_name(keyword)} {problem}"
    )


def _check_inflated_size(stream: BinaryIO, limits: Limits) -> None:
    """Check that a deflated data set stays within bounds, because pydicom inflates it whole."""
    read_preamble(stream, force=True)
    syntax = _read_file_meta_info(stream).get("TransferSyntaxUID")
    if syntax == DeflatedExplicitVRLittleEndian:
        max_bytes = limits.max_inflated_mib * 2**20
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        inflated = inflater.decompress(stream.read(), max_bytes + 1)
        if len(inflated) > max_bytes:
            raise limits.too_large()
    stream.seek(0)


def _settle_transfer_syntax(dataset: Dataset) -> tuple[Finding, ...]:
    """Write the encoding that the pixels have into the file meta information.

    The finding says that the file named another one; a file that names none contradicts nothing.
    """
    if not hasattr(dataset, "file_meta"):
        dataset.file_meta = FileMetaDataset()
    named = dataset.file_meta.get("TransferSyntaxUID")
    actual = _actual_syntax(dataset, named)
    if actual.is_encapsulated and "PixelData" in dataset:
        drop_wrong_offsets(dataset)
    if actual == named:
        return ()
    dataset.file_meta.TransferSyntaxUID = actual
    return contradiction(("Transfer Syntax UID",)) if named else ()


def _actual_syntax(dataset: Dataset, named: UID | None) -> UID:
    """Return the named encoding, unless the pixels are encapsulated and it is not, or reverse."""
    if "PixelData" not in dataset or (named and not named.is_transfer_syntax):
        return named or _native_syntax(dataset)
    element = dataset["PixelData"]
    start = bytes(element.value[: len(ITEM_TAG)])
    is_encapsulated = start == ITEM_TAG and element.is_undefined_length
    if named and named.is_encapsulated:
        is_native = not element.is_undefined_length and start != ITEM_TAG
        return _native_syntax(dataset) if is_native else named
    if not is_encapsulated:
        return named or _native_syntax(dataset)
    codestream = describe_codestream(coded_frame(dataset, 0, frames=1))
    if codestream is None:
        raise attribute_error(
            "TransferSyntaxUID", "is missing or is not that of its frames"
        )
    return CODING_SYNTAXES[codestream.coding]


def _native_syntax(dataset: Dataset) -> UID:
    is_implicit, is_little_endian = dataset.original_encoding
    if is_implicit:
        return ImplicitVRLittleEndian
    return ExplicitVRLittleEndian if is_little_endian else ExplicitVRBigEndian


def _repair_numbers(dataset: Dataset) -> list[str]:
    """Check the numbers of a header, and drop those that are none and that decoding can miss.

    Returns
    -------
    keywords : the dropped attributes that a step would have used

    Raises
    ------
    ImageUnreadable
    """
    for keyword in SINGLE_NUMBERS:
        _unify_numbers(dataset, keyword)
    for keyword in REQUIRED_INTEGERS:
        _check_integer(dataset, keyword)
    dropped: list[str] = []
    for keyword in OPTIONAL_NUMBERS:
        if keyword not in dataset or _has_numbers(dataset, keyword):
            continue
        if keyword == "PixelSpacing" and _read_decimal_commas(dataset, keyword):
            continue
        del dataset[keyword]
        companion = COMPANIONS.get(keyword)
        if companion and companion in dataset:
            del dataset[companion]
        if keyword not in UNUSED_NUMBERS:
            dropped.append(keyword)
    return dropped


def _unify_numbers(dataset: Dataset, keyword: str) -> None:
    """Replace a number that is written several times by one of them."""
    try:
        value = dataset.get(keyword)
    except Exception:  # noqa: BLE001 - pydicom has no common error for bad values
        return
    if isinstance(value, MultiValue | list) and len(set(value)) == 1:
        dataset[keyword].value = value[0]


def _check_integer(dataset: Dataset, keyword: str) -> None:
    if keyword not in dataset:
        return
    try:
        value = dataset[keyword].value
    except Exception:  # noqa: BLE001 - pydicom has no common error for bad values
        raise attribute_error(keyword, "is no whole number") from None
    if value in (None, "", b""):
        del dataset[keyword]
    elif not isinstance(value, int):
        raise attribute_error(keyword, "is no whole number")


def _has_numbers(dataset: Dataset, keyword: str) -> bool:
    """Return whether all values of an attribute are numbers that can be used, or it is empty."""
    try:
        value = dataset[keyword].value
    except Exception:  # noqa: BLE001 - pydicom has no common error for bad values
        return False
    if value is None:
        return True
    numbers = list(value) if isinstance(value, MultiValue | list) else [value]
    if keyword == "PixelSpacing" and len(numbers) != 2:
        return False
    if keyword in SINGLE_NUMBERS and len(numbers) > 1:
        return False
    if keyword == "RescaleSlope" and 0 in numbers:
        return False
    return all(
        isinstance(number, int | float) and math.isfinite(number) for number in numbers
    )


def _read_decimal_commas(dataset: Dataset, keyword: str) -> bool:
    r"""Replace a spacing such as `0,1\0,1`, whose commas can only be decimal, by its numbers."""
    texts = _texts(dataset, keyword)
    if len(texts) != 2 or not all(DECIMAL_COMMA.fullmatch(text) for text in texts):
        return False
    numbers = [float(text.replace(",", ".")) for text in texts]
    dataset[keyword] = DataElement(Tag(keyword), "DS", numbers)
    return True


def _texts(dataset: Dataset, keyword: str) -> list[str]:
    """Return the values of an attribute as they are written in the file.

    pydicom keeps the bytes of a value that it cannot convert, or converts it as text.
    """
    element = dataset.get_item(Tag(keyword))
    value = getattr(element, "value", None)
    if isinstance(value, bytes):
        value = value.decode("ascii", "replace")
    if isinstance(value, str):
        value = value.split("\\")
    texts = value if isinstance(value, MultiValue | list) else [value]
    return [str(text).strip(" \0") for text in texts]


def _drop_unreadable_sequences(dataset: Dataset) -> list[str]:
    dropped: list[str] = []
    for keyword in SEQUENCES:
        if keyword not in dataset:
            continue
        try:
            is_readable = _is_readable(dataset[keyword], keyword)
        except Exception:  # noqa: BLE001 - pydicom has no common error for bad values
            is_readable = False
        if not is_readable:
            del dataset[keyword]
            dropped.append(keyword)
    return dropped


def _is_readable(element: DataElement, keyword: str) -> bool:
    """Return whether an element is a sequence, and its table complete if it should hold one."""
    if element.VR != "SQ":
        return False
    tables = element.value[:1] if keyword in TABLES else ()
    return all(item.get("LUTDescriptor") and item.get("LUTData") for item in tables)


def _normalise_codes(dataset: Dataset) -> None:
    """Write the two codes that decide about black and colour as the standard spells them."""
    value = _code(dataset, "PhotometricInterpretation")
    if value:
        spellings = {_letters(name): name for name in INTERPRETATIONS}
        dataset.PhotometricInterpretation = spellings.get(_letters(value), value)
    shape = _code(dataset, "PresentationLUTShape")
    if shape:
        dataset.PresentationLUTShape = shape.strip().upper()


def _code(dataset: Dataset, keyword: str) -> str:
    """Return the text of a code; of several values the first."""
    if keyword not in dataset:
        return ""
    value = dataset[keyword].value
    if isinstance(value, MultiValue):
        value = value[0] if value else ""
    return str(value or "")


def _letters(text: str) -> str:
    return "".join(letter for letter in text.upper() if letter.isalnum())
