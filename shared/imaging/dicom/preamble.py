"""Where a DICOM file begins: with a preamble, without one, or with half of one."""

from io import BytesIO
from struct import unpack_from
from typing import BinaryIO

DICOM_PREFIX = b"DICM"
DICOM_PREFIX_OFFSET = 128
"""A DICOM file starts with 128 free bytes, followed by `DICM` (PS3.10, 7.1)."""
START_BYTES = 160
"""Bytes from which the start of any file can be told."""
FIRST_GROUPS = (b"\x02\x00", b"\x08\x00", b"\x00\x08")
"""The group of a data set's first element, little and big endian."""
MAX_FIRST_ELEMENT = 0x20
MAX_FIRST_LENGTH = 1024
FIRST_VRS = (b"UL", b"OB", b"UI", b"CS", b"DA", b"TM", b"SH", b"LO")


def count_leading_bytes(start: bytes) -> int | None:
    """Return how many bytes stand before a DICOM file as pydicom reads it; None for other files.

    The preamble may be complete or absent, or only its 128 bytes or its `DICM` are there.

    Parameters
    ----------
    start : the first `START_BYTES` of the file, or more
    """
    end = DICOM_PREFIX_OFFSET + len(DICOM_PREFIX)
    if start[DICOM_PREFIX_OFFSET:end] == DICOM_PREFIX or _starts_data_set(start):
        return 0
    if start.startswith(DICOM_PREFIX) and _starts_data_set(start[len(DICOM_PREFIX) :]):
        return len(DICOM_PREFIX)
    is_empty = not start[:DICOM_PREFIX_OFFSET].strip(b"\0")
    if is_empty and _starts_data_set(start[DICOM_PREFIX_OFFSET:]):
        return DICOM_PREFIX_OFFSET
    return None


def without_leading_bytes(stream: BinaryIO) -> BinaryIO:
    """Return a stream from which pydicom reads the file; usually the same, at its start."""
    stream.seek(0)
    count = count_leading_bytes(stream.read(START_BYTES))
    stream.seek(count or 0)
    return BytesIO(stream.read()) if count else stream


def _starts_data_set(start: bytes) -> bool:
    """Return whether bytes are the first elements of a DICOM data set without a preamble.

    The first element is one of group 0002 or 0008, with a small number, and either a customary
    value representation or a small length.
    """
    group = start[:2]
    if group not in FIRST_GROUPS or len(start) < 8:
        return False
    byte_order = ">" if group == b"\x00\x08" else "<"
    element, length = unpack_from(f"{byte_order}HI", start, 2)
    is_implicit = length <= MAX_FIRST_LENGTH and length % 2 == 0
    is_explicit = start[4:6] in FIRST_VRS
    return bool(element <= MAX_FIRST_ELEMENT and (is_explicit or is_implicit))
