"""Make and model of the scanner, as far as a DICOM header tells them and nothing of a patient comes along."""

import re

from pydicom.dataset import Dataset
from pydicom.tag import Tag

NAMED = ("Manufacturer", "ManufacturerModelName")
"""PS3.3, C.7.5.1: the General Equipment module. Its serial number, station and institution are never kept."""
PRIVATE = ("PatientName", "PatientID", "PatientBirthDate", "DeviceSerialNumber")
"""What scanners that are set up wrongly repeat in other fields; read only to leave it out."""
DEVICE_TAGS = (*NAMED, *PRIVATE)
MOST_LETTERS = 80
MOST_BYTES = 256
SHORTEST_PRIVATE = 3
"""Letters; a patient called PLA must not be kept, and one with the number 7 must not cost an EPIQ 7 its name."""
NOT_A_NAME = re.compile(r"[^A-Za-z0-9 .,&+()/_-]+")
LONG_NUMBER = re.compile(r"\d{6,}")
"""No scanner's model has six digits in a row; serial numbers, dates and patient numbers have."""


def device(dataset: Dataset) -> str | None:
    """Make and model in plain ASCII, at most 80 letters; None where the file names neither."""
    return (
        " ".join(filter(None, (named(dataset, name) for name in NAMED)))[
            :MOST_LETTERS
        ].strip()
        or None
    )


def named(dataset: Dataset, name: str) -> str:
    """One of `NAMED`. Words of the patient's name, numbers and dates are left out wherever they stand.

    The raw bytes are read, so that an odd value costs a name and never the image.
    """
    private = {
        word.casefold()
        for name in PRIVATE
        for word in _words(dataset, name)
        if len(word) >= SHORTEST_PRIVATE
    }
    words = _words(dataset, name)
    return " ".join(
        word
        for word in words
        if word.casefold() not in private and not LONG_NUMBER.search(word)
    )


def _words(dataset: Dataset, name: str) -> list[str]:
    element = dataset.get_item(Tag(name)) if name in dataset else None
    value = getattr(element, "value", None)
    if not isinstance(value, bytes):
        return []
    text = NOT_A_NAME.sub(" ", value[:MOST_BYTES].decode("ascii", "replace"))
    return [word for word in text.split() if any(letter.isalnum() for letter in word)]
