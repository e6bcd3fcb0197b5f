"""Tells damaged lossless JPEG, whose decoder reads noise without a word (ITU-T T.81, annex H).

The decoded samples say how many bits they take when they are coded. If bytes are damaged, the
decoder loses its place in the bits, and mostly the sum differs from the length of the scan. Damage
that leaves the sum as it was changes a part of one row.
"""

import numpy as np

from shared.imaging.dicom.jpeg_scan import Scan, coded_values, ends_after, read_scan
from shared.imaging.dicom.samples import Samples
from shared.imaging.errors import UnsupportedImage

NO_SUBSAMPLING = (1, 1)
FULL_CATEGORY = 16
"""A difference of 32768, which has no bits after its code."""


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
        if the low bits were cut off before coding.
    """
    scan = read_scan(frame)
    if scan.point_transform:
        raise UnsupportedImage(
            problem="DICOM frames of lossless JPEG with a point transform are not read"
        )
    planes = np.atleast_3d(samples)
    is_plain = not scan.has_restarts and set(scan.samplings) == {NO_SUBSAMPLING}
    is_plain &= 1 <= scan.predictor <= 7
    if not is_plain or len(scan.dc_tables) != planes.shape[2]:
        return False
    bits = 0
    for index, table in enumerate(scan.dc_tables):
        plane = planes[..., index].astype(np.int32) & (2**scan.precision - 1)
        differences = plane - _predictions(plane, scan)
        codes = scan.dc_codes.get(table, [])
        code_lengths = {category: length for length, category in codes}
        for category, count in _count_categories(differences).items():
            length = code_lengths.get(category)
            if length is None:
                return True
            bits += count * (length + category % FULL_CATEGORY)
    return not ends_after(coded_values(frame, scan), bits)


def _predictions(plane: Samples, scan: Scan) -> Samples:
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
