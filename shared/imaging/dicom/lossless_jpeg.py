"""Tells damaged lossless JPEG, whose decoder reads noise without a word (ITU-T T.81, annex H).

The decoded samples say how many bits they take when they are coded. If bytes are damaged, the
decoder loses its place in the bits, and mostly the sum differs from the length of the scan. Damage
that leaves the sum as it was changes a part of one row.
"""

from dataclasses import dataclass, field
from struct import unpack_from

import numpy as np

from shared.imaging.dicom.samples import Samples
from shared.imaging.errors import UnsupportedImage

START_OF_FRAME = 0xC3
HUFFMAN_TABLES = 0xC4
RESTART_INTERVAL = 0xDD
START_OF_SCAN = 0xDA
NO_SUBSAMPLING = 0x11
FULL_CATEGORY = 16
"""A difference of 32768, which has no bits after its code."""
MAX_FLUSHED_BYTES = 3
"""Bytes that encoders may leave after the last value."""
STUFFED = b"\xff\x00"
JPEG_END = b"\xff\xd9"


@dataclass
class _Scan:
    """What a scan says about its coding.

    Attributes
    ----------
    code_lengths : for each table the bits of the code of each category of differences
    tables : for each component its table
    predictor : the selection value
    """

    precision: int = 0
    samplings: tuple[int, ...] = ()
    code_lengths: dict[int, dict[int, int]] = field(default_factory=dict)
    has_restarts: bool = False
    tables: tuple[int, ...] = ()
    predictor: int = 0
    point_transform: int = 0
    start: int = 0


def is_damaged(frame: bytes, samples: Samples) -> bool:
    """Return whether a frame of one plain scan has another length than its decoded samples take.

    Frames of several scans or with restarts are not checked.

    Parameters
    ----------
    frame : the coded frame
    samples : (height, width) or (height, width, components), as decoded

    Raises
    ------
    UnsupportedImage
        if the low bits were cut off before coding, which the decoder reads wrongly.
    """
    scan = _read_scan(frame)
    if scan.point_transform:
        raise UnsupportedImage(
            problem="DICOM frames of lossless JPEG with a point transform are not read"
        )
    planes = np.atleast_3d(samples)
    is_plain = not scan.has_restarts and set(scan.samplings) == {NO_SUBSAMPLING}
    is_plain &= 1 <= scan.predictor <= 7
    if not is_plain or len(scan.tables) != planes.shape[2]:
        return False
    bits = 0
    for index, table in enumerate(scan.tables):
        plane = planes[..., index].astype(np.int32) & (2**scan.precision - 1)
        differences = plane - _predictions(plane, scan)
        for category, count in _count_categories(differences).items():
            length = scan.code_lengths.get(table, {}).get(category)
            if length is None:
                return True
            bits += count * (length + category % FULL_CATEGORY)
    data = frame[scan.start : frame.rfind(JPEG_END)].rstrip(b"\xff")
    surplus = len(data) - data.count(STUFFED) - -(-bits // 8)
    is_padding = surplus > 0 and not data[-surplus:].strip(b"\0\xff")
    return not (is_padding or 0 <= surplus <= MAX_FLUSHED_BYTES)


def _read_scan(frame: bytes) -> _Scan:
    scan = _Scan()
    offset = 2
    while scan.start == 0:
        offset = frame.index(b"\xff", offset)
        marker, length = unpack_from(">xBH", frame, offset)
        if marker == 0xFF:
            offset += 1
            continue
        segment = frame[offset + 4 : offset + 2 + length]
        offset += 2 + length
        if marker == START_OF_FRAME:
            scan.precision = segment[0]
            scan.samplings = tuple(segment[7::3])
        elif marker == HUFFMAN_TABLES:
            _read_tables(segment, scan)
        elif marker == RESTART_INTERVAL:
            scan.has_restarts = any(segment)
        elif marker == START_OF_SCAN:
            components = segment[0]
            scan.tables = tuple(
                byte >> 4 for byte in segment[2 : 1 + 2 * components : 2]
            )
            scan.predictor = segment[1 + 2 * components]
            scan.point_transform = segment[3 + 2 * components] & 15
            scan.start = offset
    return scan


def _read_tables(segment: bytes, scan: _Scan) -> None:
    """Read the lengths of the codes in a segment of Huffman tables (B.2.4.2)."""
    offset = 0
    while offset + 17 <= len(segment):
        counts = segment[offset + 1 : offset + 17]
        lengths = [
            length for length, count in enumerate(counts, 1) for _ in range(count)
        ]
        categories = segment[offset + 17 : offset + 17 + len(lengths)]
        scan.code_lengths[segment[offset] & 15] = dict(
            zip(categories, lengths, strict=False)
        )
        offset += 17 + len(lengths)


def _predictions(plane: Samples, scan: _Scan) -> Samples:
    """Return the prediction of each sample from its neighbours (table H.1)."""
    predictions = np.empty_like(plane)
    predictions[0, 0] = 2 ** (scan.precision - 1)
    predictions[0, 1:] = plane[0, :-1]
    predictions[1:, 0] = plane[:-1, 0]
    left = plane[1:, :-1]
    above = plane[:-1, 1:]
    corner = plane[:-1, :-1]
    by_selection = {
        1: left,
        2: above,
        3: corner,
        4: left + above - corner,
        5: left + ((above - corner) >> 1),
        6: above + ((left - corner) >> 1),
        7: (left + above) >> 1,
    }
    predictions[1:, 1:] = by_selection[scan.predictor]
    return predictions


def _count_categories(differences: Samples) -> dict[int, int]:
    """Return how many differences need each number of bits (table H.2)."""
    wrapped = (differences + 2**15) % 2**16 - 2**15
    categories = np.ceil(np.log2(np.abs(wrapped) + 1)).astype(int)
    counts = np.bincount(categories.ravel())
    return {category: int(count) for category, count in enumerate(counts) if count}
