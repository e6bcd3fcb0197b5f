"""Manufacturer and model of the scanner from a DICOM header, without anything about the patient."""

import re

from pydicom.dataset import Dataset
from pydicom.tag import Tag

DEVICE_KEYWORDS = ("Manufacturer", "ManufacturerModelName")
"""PS3.3, C.7.5.1, General Equipment module. Serial number, station and institution are not kept."""
PATIENT_KEYWORDS = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "DeviceSerialNumber",
)
"""Attributes whose values misconfigured scanners repeat in other fields.

They are read so that their words can be removed from the device's name.
"""
DEVICE_TAGS = (*DEVICE_KEYWORDS, *PATIENT_KEYWORDS)
MAX_LETTERS = 80
MAX_BYTES = 256
MIN_PATIENT_WORD_LETTERS = 3
"""Letters of a patient's word from which the word is left out of the device's name.

A patient's surname of three letters must not remain in the device's name. A patient with the number
7 must not remove the 7 from the name of an EPIQ 7.
"""
NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9 .,&+()/_-]+")
LONG_NUMBER = re.compile(r"\d{6,}")
"""No scanner's model has six digits in a row, but serial numbers, dates and patient numbers do."""


def device(dataset: Dataset) -> str | None:
    """Return manufacturer and model in ASCII, at most 80 letters.

    The result is None if the file names neither of them.
    """
    names = [device_name(dataset, keyword) for keyword in DEVICE_KEYWORDS]
    text = " ".join(filter(None, names))
    return text[:MAX_LETTERS].strip() or None


def device_name(dataset: Dataset, keyword: str) -> str:
    """Return the value of one of `DEVICE_KEYWORDS`.

    Words from the patient's attributes, long numbers and dates are removed.

    The raw bytes are read. An invalid value can therefore lose the device's name, but never the
    image.
    """
    patient_words = _patient_words(dataset)
    words: list[str] = []
    for word in _words(dataset, keyword):
        if word.casefold() not in patient_words and not LONG_NUMBER.search(word):
            words.append(word)
    return " ".join(words)


def _patient_words(dataset: Dataset) -> set[str]:
    words: set[str] = set()
    for keyword in PATIENT_KEYWORDS:
        for word in _words(dataset, keyword):
            if len(word) >= MIN_PATIENT_WORD_LETTERS:
                words.add(word.casefold())
    return words


def _words(dataset: Dataset, keyword: str) -> list[str]:
    element = dataset.get_item(Tag(keyword)) if keyword in dataset else None
    value = getattr(element, "value", None)
    if not isinstance(value, bytes):
        return []
    ascii_text = value[:MAX_BYTES].decode("ascii", "replace")
    text = NOT_IN_A_NAME.sub(" ", ascii_text)
    return [word for word in text.split() if any(letter.isalnum() for letter in word)]
