"""Tells damaged JPEG of 12 bits, whose decoder fills what it cannot read with grey (ITU-T T.81, F).

The codes of the scan are followed without being decoded. They must be codes of its tables, no
block may have more than 64 coefficients, and the last block must end where the scan ends.
"""

from shared.imaging.dicom.jpeg_scan import (
    Codes,
    Scan,
    coded_values,
    ends_after,
    read_scan,
)

SEQUENTIAL = {0xC0, 0xC1}
BLOCK_SIDE_PX = 8
COEFFICIENTS = 64
LONGEST_CODE = 16
ZERO_RUN = 0xF0
"""Sixteen coefficients of 0."""
END_OF_BLOCK = 0x00

Steps = list[tuple[int, int]]
"""For each 16 bits: how many of them and of the bits after them a symbol takes, and the symbol.

0 bits: they begin with no code.
"""


def is_damaged(frame: bytes) -> bool:
    """Return whether the codes of a frame of one sequential scan are not those of its blocks.

    Progressive frames, and frames of several scans or with restarts, are not checked.

    Raises
    ------
    ValueError, IndexError, struct.error
        if the frame ends before its scan.
    """
    scan = read_scan(frame)
    is_plain = scan.frame_type in SEQUENTIAL and not scan.has_restarts
    if not is_plain or len(scan.dc_tables) != len(scan.samplings):
        return False
    values = coded_values(frame, scan)
    bits = _followed_bits(values, scan)
    return bits is None or not ends_after(values, bits)


def _followed_bits(values: bytes, scan: Scan) -> int | None:
    """Return how many bits the blocks of a scan take; None if one of them is impossible."""
    tables = zip(scan.dc_tables, scan.ac_tables, strict=True)
    steps = [
        (
            _steps(scan.dc_codes.get(dc_table, [])),
            _steps(scan.ac_codes.get(ac_table, [])),
        )
        for dc_table, ac_table in tables
    ]
    unit_count, blocks = _units(scan)
    padded_values = values + bytes(4)
    end = 8 * len(values)
    position = 0
    for _ in range(unit_count):
        for component in blocks:
            dc_steps, ac_steps = steps[component]
            position = _block_end(padded_values, position, dc_steps, ac_steps)
            if not 0 < position <= end:
                return None
    return position


def _units(scan: Scan) -> tuple[int, list[int]]:
    """Return the number of units of a scan, and of which component each block of a unit is."""
    width, height = scan.size
    if len(scan.samplings) == 1:
        horizontal, vertical = 1, 1
        blocks = [0]
    else:
        horizontal = max(sampling[0] for sampling in scan.samplings)
        vertical = max(sampling[1] for sampling in scan.samplings)
        blocks = [
            component
            for component, (across, down) in enumerate(scan.samplings)
            for _ in range(across * down)
        ]
    columns = -(-width // (BLOCK_SIDE_PX * horizontal))
    rows = -(-height // (BLOCK_SIDE_PX * vertical))
    return columns * rows, blocks


def _steps(codes: Codes) -> Steps:
    steps: Steps = []
    for length, symbol in codes:
        steps += [(length + symbol % 16, symbol)] * (1 << LONGEST_CODE - length)
    missing = (1 << LONGEST_CODE) - len(steps)
    return steps[: 1 << LONGEST_CODE] + [(0, 0)] * missing


def _block_end(values: bytes, start: int, dc_steps: Steps, ac_steps: Steps) -> int:
    """Return the offset in bits after a block; 0 if it is impossible.

    Parameters
    ----------
    values : coded values with 4 bytes after them
    start : its offset in bits
    """
    position = start
    steps = dc_steps
    coefficients = 0
    while coefficients < COEFFICIENTS:
        offset = position >> 3
        window = int.from_bytes(values[offset : offset + 3])
        taken, symbol = steps[(window >> (8 - (position & 7))) & 0xFFFF]
        if taken == 0 or offset + 3 > len(values):
            return 0
        position += taken
        if steps is dc_steps:
            coefficients = 1
            steps = ac_steps
        elif symbol == END_OF_BLOCK:
            return position
        elif symbol % 16 or symbol == ZERO_RUN:
            coefficients += (symbol >> 4) + 1
        else:
            return 0
    return position if coefficients == COEFFICIENTS else 0
