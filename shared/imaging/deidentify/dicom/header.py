"""A DICOM header with nothing but what the profile keeps."""

import hashlib
import hmac
from collections import Counter
from typing import Any

from pydicom.datadict import dictionary_VR, keyword_for_tag
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.multival import MultiValue
from pydicom.tag import BaseTag, Tag
from pydicom.uid import (
    PYDICOM_IMPLEMENTATION_UID,
    UID,
    UID_dictionary,
    UltrasoundImageStorage,
)

from shared.imaging.deidentify.dicom import profile
from shared.imaging.dicom.device import device_name
from shared.imaging.dicom.palette import unfold_palette

BASIC = "113100"
CLEAN_PIXELS = "113101"
MEANINGS = {
    BASIC: "Basic Application Confidentiality Profile",
    CLEAN_PIXELS: "Clean Pixel Data Option",
}
"""Codes of what was done (PS3.16, CID 7050)."""
AMBIGUOUS = {"US", "SS", "OB", "OW"}


def clean_header(source: Dataset, key: bytes, pixels_cleaned: bool) -> Dataset:
    """A new data set without pixel data, made of what may stay; nothing is copied that is not named."""
    kept = Dataset()
    for keyword in profile.DEVICE:
        if words := device_name(source, keyword):
            setattr(kept, keyword, words[:64])
    _copy_coding(kept, source)
    _copy_uids(kept, source, key)
    for keyword in profile.EMPTIED:
        if keyword in source:
            setattr(kept, keyword, None)
    _say_what_was_done(kept, pixels_cleaned)
    kept.file_meta = _meta(kept, source.file_meta.TransferSyntaxUID)
    return kept


def count_removed(source: Dataset, kept: Dataset) -> Counter[str]:
    """What went, counted by the standard's keywords; private and unknown ones have no name that may be told."""
    lost = [
        tag
        for tag in source.keys()  # noqa: SIM118 (a pydicom Dataset iterates over its elements)
        if tag not in kept or (_is_emptied(tag) and _filled(source, tag))
    ]
    for keyword in profile.NESTED:
        for before, after in zip(
            source.get(keyword) or (), kept.get(keyword) or (), strict=False
        ):
            lost += [tag for tag in before.keys() if tag not in after]  # noqa: SIM118
    lost += [
        tag
        for tag in source.file_meta.keys()  # noqa: SIM118
        if tag.element and tag not in kept.file_meta
    ]
    return Counter(_told(tag) for tag in lost)


def _copy_coding(kept: Dataset, source: Dataset) -> None:
    if "SegmentedRedPaletteColorLookupTableData" in source:
        unfold_palette(source)
    for keyword, most in profile.NUMBERS.items():
        if not _copy_numbers(kept, source, keyword, most):
            raise ValueError("a value that decoding needs is no number")
    for keyword, most in profile.TIMING.items():
        _copy_numbers(kept, source, keyword, most)
    for keyword, words in profile.WORDS.items():
        stated = source.get(keyword)
        if isinstance(stated, str | int) and stated in words:
            setattr(kept, keyword, stated)
    for keyword, inner in profile.NESTED.items():
        if source.get(keyword):
            setattr(
                kept, keyword, [_nested(item, inner) for item in source.get(keyword)]
            )
    _copy_tables(kept, source)


def _copy_numbers(kept: Dataset, source: Dataset, keyword: str, most: int) -> bool:
    """Copy a value if it is numbers; False where it is something else, and True where there is none."""
    if keyword not in source or source.get(keyword) is None:
        return True
    element = source[keyword]
    values = (
        list(element.value)
        if isinstance(element.value, MultiValue | list)
        else [element.value]
    )
    if len(values) > most or not all(
        isinstance(value, int | float) for value in values
    ):
        return False
    vr = dictionary_VR(Tag(keyword))
    kept.add(
        DataElement(
            element.tag,
            element.VR if "or" in vr and element.VR in AMBIGUOUS else vr,
            element.value,
        )
    )
    return True


def _nested(item: Dataset, inner: dict[str, int]) -> Dataset:
    kept = Dataset()
    for keyword, most in inner.items():
        if isinstance(item.get(keyword), bytes):
            entries = int(item.LUTDescriptor[0]) or 2**16
            kept.add(DataElement(Tag(keyword), "OW", item.get(keyword)[: 2 * entries]))
        else:
            _copy_numbers(kept, item, keyword, most)
    return kept


def _copy_tables(kept: Dataset, source: Dataset) -> None:
    """Palettes, no longer than they say: what is behind them is no colour."""
    for keyword in profile.TABLES:
        if isinstance(source.get(keyword), bytes):
            entries = (
                int(source[keyword.replace("Data", "Descriptor")].value[0]) or 2**16
            )
            kept.add(
                DataElement(Tag(keyword), "OW", source.get(keyword)[: 2 * entries])
            )


def _copy_uids(kept: Dataset, source: Dataset, key: bytes) -> None:
    stated = source.get("SOPClassUID")
    kept.SOPClassUID = (
        stated
        if isinstance(stated, UID) and stated in UID_dictionary
        else UltrasoundImageStorage
    )
    for keyword in profile.REHASHED:
        if source.get(keyword) or keyword == "SOPInstanceUID":
            setattr(kept, keyword, replacement_uid(str(source.get(keyword, "")), key))


def replacement_uid(uid: str, key: bytes) -> UID:
    """Another UID for a UID, the same within an installation (PS3.5, B.2: a UUID under 2.25)."""
    digest = hmac.new(key, uid.encode(), hashlib.sha256).digest()[:16]
    return UID(f"2.25.{int.from_bytes(digest)}")


def _say_what_was_done(kept: Dataset, pixels_cleaned: bool) -> None:
    kept.PatientIdentityRemoved = "YES"
    kept.DeidentificationMethod = profile.METHOD
    codes = (BASIC, CLEAN_PIXELS) if pixels_cleaned else (BASIC,)
    kept.DeidentificationMethodCodeSequence = [_code(code) for code in codes]


def _code(value: str) -> Dataset:
    item = Dataset()
    item.CodeValue = value
    item.CodingSchemeDesignator = "DCM"
    item.CodeMeaning = MEANINGS[value]
    return item


def _meta(kept: Dataset, syntax: UID) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = kept.SOPClassUID
    meta.MediaStorageSOPInstanceUID = kept.SOPInstanceUID
    meta.TransferSyntaxUID = syntax
    meta.ImplementationClassUID = PYDICOM_IMPLEMENTATION_UID
    meta.ImplementationVersionName = "SERA"
    return meta


def _is_emptied(tag: BaseTag) -> bool:
    return keyword_for_tag(tag) in profile.EMPTIED


def _filled(source: Dataset, tag: BaseTag) -> bool:
    element: Any = source.get_item(Tag(tag))
    return bool(element.value)


def _told(tag: BaseTag) -> str:
    return "private" if tag.is_private else keyword_for_tag(tag) or "unknown"
