"""Builds a DICOM header that contains only the attributes that the profile keeps."""

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

BASIC_PROFILE = "113100"
CLEAN_PIXELS = "113101"
CODE_MEANINGS = {
    BASIC_PROFILE: "Basic Application Confidentiality Profile",
    CLEAN_PIXELS: "Clean Pixel Data Option",
}
"""Codes of the de-identification methods (PS3.16, CID 7050)."""
AMBIGUOUS_VRS = {"US", "SS", "OB", "OW"}
MAX_DEVICE_LETTERS = 64


def clean_header(source: Dataset, key: bytes, pixels_cleaned: bool) -> Dataset:
    """Build a new data set without pixel data from the attributes that the profile keeps.

    No other attribute is copied.

    Parameters
    ----------
    source : the original data set
    key : secret of the installation; replaces UIDs
    pixels_cleaned : whether the pixels are cleaned too
    """
    target = Dataset()
    for keyword in profile.DEVICE_ATTRIBUTES:
        name = device_name(source, keyword)
        if name:
            setattr(target, keyword, name[:MAX_DEVICE_LETTERS])
    _copy_coding(target, source)
    _copy_uids(target, source, key)
    for keyword in profile.EMPTIED_ATTRIBUTES:
        if keyword in source:
            setattr(target, keyword, None)
    _add_methods(target, pixels_cleaned)
    target.file_meta = _file_meta(target, source.file_meta.TransferSyntaxUID)
    return target


def count_removed(source: Dataset, target: Dataset) -> Counter[str]:
    """Count the removed attributes by their keyword in the standard.

    Private and unknown attributes have no keyword that may be repeated.
    """
    removed: list[BaseTag] = []
    for tag in source.keys():  # noqa: SIM118 (a pydicom Dataset iterates over its elements)
        is_emptied = keyword_for_tag(tag) in profile.EMPTIED_ATTRIBUTES
        if tag not in target or (is_emptied and _has_value(source, tag)):
            removed.append(tag)
    for keyword in profile.NESTED_NUMERIC_ATTRIBUTES:
        items = zip(source.get(keyword) or (), target.get(keyword) or (), strict=False)
        for source_item, target_item in items:
            for tag in source_item.keys():  # noqa: SIM118
                if tag not in target_item:
                    removed.append(tag)
    for tag in source.file_meta.keys():  # noqa: SIM118
        if tag.element and tag not in target.file_meta:
            removed.append(tag)
    return Counter(_public_name(tag) for tag in removed)


def _copy_coding(target: Dataset, source: Dataset) -> None:
    """Copy the attributes that decoding, timing and calibration need."""
    if "SegmentedRedPaletteColorLookupTableData" in source:
        unfold_palette(source)
    for keyword, max_count in profile.NUMERIC_ATTRIBUTES.items():
        if not _copy_numbers(target, source, keyword=keyword, max_count=max_count):
            raise ValueError("a value that decoding needs is no number")
    for keyword, max_count in profile.TIMING_ATTRIBUTES.items():
        _copy_numbers(target, source, keyword=keyword, max_count=max_count)
    for keyword, allowed_values in profile.ALLOWED_VALUES.items():
        value = source.get(keyword)
        if isinstance(value, str | int) and value in allowed_values:
            setattr(target, keyword, value)
    for keyword, max_counts in profile.NESTED_NUMERIC_ATTRIBUTES.items():
        items = source.get(keyword)
        if items:
            copies = [_copy_item(item, max_counts) for item in items]
            setattr(target, keyword, copies)
    _copy_tables(target, source)


def _copy_numbers(
    target: Dataset, source: Dataset, keyword: str, max_count: int
) -> bool:
    """Copy an attribute if its values are numbers.

    Returns
    -------
    False if a value is not a number or there are more than `max_count`; True if the attribute is
    absent
    """
    if keyword not in source or source.get(keyword) is None:
        return True
    element = source[keyword]
    is_list = isinstance(element.value, MultiValue | list)
    values = list(element.value) if is_list else [element.value]
    if len(values) > max_count:
        return False
    if not all(isinstance(value, int | float) for value in values):
        return False
    vr = dictionary_VR(Tag(keyword))
    if "or" in vr and element.VR in AMBIGUOUS_VRS:
        vr = element.VR
    target.add(DataElement(element.tag, vr, element.value))
    return True


def _copy_item(item: Dataset, max_counts: dict[str, int]) -> Dataset:
    """Copy the numbers of an item of a sequence."""
    target = Dataset()
    for keyword, max_count in max_counts.items():
        value = item.get(keyword)
        if isinstance(value, bytes):
            entries = int(item.LUTDescriptor[0]) or 2**16
            target.add(DataElement(Tag(keyword), "OW", value[: 2 * entries]))
        else:
            _copy_numbers(target, item, keyword=keyword, max_count=max_count)
    return target


def _copy_tables(target: Dataset, source: Dataset) -> None:
    """Copy the palettes up to their declared length. The bytes after it are not colours."""
    for keyword in profile.PALETTE_ATTRIBUTES:
        table = source.get(keyword)
        if isinstance(table, bytes):
            descriptor = source[keyword.replace("Data", "Descriptor")]
            entries = int(descriptor.value[0]) or 2**16
            target.add(DataElement(Tag(keyword), "OW", table[: 2 * entries]))


def _copy_uids(target: Dataset, source: Dataset, key: bytes) -> None:
    sop_class = source.get("SOPClassUID")
    is_standard_class = isinstance(sop_class, UID) and sop_class in UID_dictionary
    target.SOPClassUID = sop_class if is_standard_class else UltrasoundImageStorage
    for keyword in profile.REPLACED_UIDS:
        if source.get(keyword) or keyword == "SOPInstanceUID":
            uid = str(source.get(keyword, ""))
            setattr(target, keyword, replacement_uid(uid, key))


def replacement_uid(uid: str, key: bytes) -> UID:
    """Return a new UID for a UID, always the same within an installation.

    It is a UUID under 2.25 (PS3.5, B.2).
    """
    digest = hmac.new(key, uid.encode(), hashlib.sha256).digest()
    number = int.from_bytes(digest[:16])
    return UID(f"2.25.{number}")


def _add_methods(target: Dataset, pixels_cleaned: bool) -> None:
    """State how the file was de-identified."""
    target.PatientIdentityRemoved = "YES"
    target.DeidentificationMethod = profile.METHOD
    codes = [_code_item(BASIC_PROFILE)]
    if pixels_cleaned:
        codes.append(_code_item(CLEAN_PIXELS))
    target.DeidentificationMethodCodeSequence = codes


def _code_item(code: str) -> Dataset:
    item = Dataset()
    item.CodeValue = code
    item.CodingSchemeDesignator = "DCM"
    item.CodeMeaning = CODE_MEANINGS[code]
    return item


def _file_meta(target: Dataset, syntax: UID) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = target.SOPClassUID
    meta.MediaStorageSOPInstanceUID = target.SOPInstanceUID
    meta.TransferSyntaxUID = syntax
    meta.ImplementationClassUID = PYDICOM_IMPLEMENTATION_UID
    meta.ImplementationVersionName = "SERA"
    return meta


def _has_value(source: Dataset, tag: BaseTag) -> bool:
    element: Any = source.get_item(Tag(tag))
    return bool(element.value)


def _public_name(tag: BaseTag) -> str:
    if tag.is_private:
        return "private"
    return keyword_for_tag(tag) or "unknown"
