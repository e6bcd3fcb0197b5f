"""Reads the lookup tables of the greyscale pipeline (PS3.3, C.11.1.1 and C.11.2.1.1)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from shared.domain.results.findings import Finding
from shared.imaging.dicom.dataset import attribute_error
from shared.imaging.grey import white_level

MAX_ENTRIES = 2**16
BYTE_BITS = 8


@dataclass(frozen=True, eq=False)
class LookupTable:
    """A table of grey levels.

    Attributes
    ----------
    entries : the levels
    first : the value of the first entry; lower values have its level, too
    white : the level that is shown white
    findings : a finding if the depth of the levels had to be guessed
    """

    entries: NDArray[np.integer]
    first: int
    white: int
    findings: tuple[Finding, ...]

    def apply(self, values: NDArray[Any]) -> NDArray[np.integer]:
        """Return the levels of values, of any shape."""
        indices = np.rint(values).astype(np.int64) - self.first
        levels: NDArray[np.integer] = self.entries[
            np.clip(indices, 0, len(self.entries) - 1)
        ]
        return levels


def read_table(dataset: Dataset, keyword: str) -> LookupTable | None:
    """Return the first table of a sequence of lookup tables, or None if there is none.

    Levels of 8 bits may lie in words, or two in each word.

    Raises
    ------
    ImageUnreadable
        if the table is shorter than its descriptor says.
    """
    items = dataset.get(keyword)
    if not items:
        return None
    item = items[0]
    count, first, bits = (int(number) for number in item.LUTDescriptor)
    count = count or MAX_ENTRIES
    data = item.LUTData
    is_little_endian = dataset.file_meta.TransferSyntaxUID.is_little_endian
    word_type: np.dtype[Any] = np.dtype("<u2" if is_little_endian else ">u2")
    if not isinstance(data, bytes):
        words = np.atleast_1d(np.asarray(data, np.int64)) % MAX_ENTRIES
        data = words.astype(word_type).tobytes()
    if len(data) < count * word_type.itemsize and bits <= BYTE_BITS:
        word_type = np.dtype(np.uint8)
    if len(data) < count * word_type.itemsize:
        raise attribute_error("LUTData", "is shorter than LUT Descriptor says")
    entries = np.frombuffer(data, word_type, count).astype(np.int64)
    white, findings = white_level(entries, bits)
    return LookupTable(entries=entries, first=first, white=white, findings=findings)
