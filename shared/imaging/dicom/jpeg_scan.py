"""Reads what a JPEG frame of one scan says about its coding (ITU-T T.81, annex B)."""

from dataclasses import dataclass, field
from struct import unpack_from

START_OF_FRAME = {0xC0, 0xC1, 0xC2, 0xC3}
"""Baseline, extended, progressive and lossless, of Huffman codes."""
HUFFMAN_TABLES = 0xC4
RESTART_INTERVAL = 0xDD
START_OF_SCAN = 0xDA
FILL_BYTE = 0xFF
STUFFED = b"\xff\x00"
JPEG_END = b"\xff\xd9"

Codes = list[tuple[int, int]]
"""The length in bits and the symbol of each code, in the order of the codes."""


@dataclass
class Scan:
    """What a scan says about its coding.

    Attributes
    ----------
    frame_type : the marker of its frame
    size : width and height in pixels
    samplings : for each component of the frame its horizontal and vertical sampling factor
    dc_codes, ac_codes : the codes of each Huffman table; lossless coding has only the first
    has_restarts : whether restart markers are between its values
    dc_tables, ac_tables : for each component of the scan the number of its table
    predictor : the selection value of lossless coding; the first coefficient of others
    point_transform : by how many bits values were shifted before coding
    start : offset of its values in the frame
    """

    frame_type: int = 0
    precision: int = 0
    size: tuple[int, int] = (0, 0)
    samplings: tuple[tuple[int, int], ...] = ()
    dc_codes: dict[int, Codes] = field(default_factory=dict)
    ac_codes: dict[int, Codes] = field(default_factory=dict)
    has_restarts: bool = False
    dc_tables: tuple[int, ...] = ()
    ac_tables: tuple[int, ...] = ()
    predictor: int = 0
    point_transform: int = 0
    start: int = 0


def read_scan(frame: bytes) -> Scan:
    """Return the description of the first scan.

    Raises
    ------
    ValueError, IndexError, struct.error
        if the frame ends before it.
    """
    scan = Scan()
    offset = 2
    while scan.start == 0:
        offset = frame.index(b"\xff", offset)
        marker, length = unpack_from(">xBH", frame, offset)
        if marker == FILL_BYTE:
            offset += 1
            continue
        segment = frame[offset + 4 : offset + 2 + length]
        offset += 2 + length
        if marker in START_OF_FRAME:
            _read_frame_header(marker, segment, scan)
        elif marker == HUFFMAN_TABLES:
            _read_tables(segment, scan)
        elif marker == RESTART_INTERVAL:
            scan.has_restarts = any(segment)
        elif marker == START_OF_SCAN:
            _read_scan_header(segment, scan)
            scan.start = offset
    return scan


def coded_values(frame: bytes, scan: Scan) -> bytes:
    """Return the bytes of the values of a scan, without stuffed bytes and fill bytes."""
    values = frame[scan.start : frame.rfind(JPEG_END)]
    return values.rstrip(b"\xff").replace(STUFFED, b"\xff")


def ends_after(values: bytes, bits: int) -> bool:
    """Return whether coded values take these bits, and nothing but padding is after them.

    Encoders fill the last byte with zeros or ones; some add bytes of either.
    """
    byte_count = -(-bits // 8)
    if len(values) < byte_count:
        return False
    unused = (1 << -bits % 8) - 1
    last_bits = values[byte_count - 1] & unused
    return last_bits in (0, unused) and not values[byte_count:].strip(b"\0\xff")


def _read_frame_header(marker: int, segment: bytes, scan: Scan) -> None:
    precision, height, width = unpack_from(">BHH", segment)
    scan.frame_type = marker
    scan.precision = precision
    scan.size = (width, height)
    scan.samplings = tuple((byte >> 4, byte & 15) for byte in segment[7::3])


def _read_tables(segment: bytes, scan: Scan) -> None:
    """Read the codes in a segment of Huffman tables (B.2.4.2)."""
    offset = 0
    while offset + 17 <= len(segment):
        counts = segment[offset + 1 : offset + 17]
        lengths = [
            length for length, count in enumerate(counts, 1) for _ in range(count)
        ]
        symbols = segment[offset + 17 : offset + 17 + len(lengths)]
        table_class, number = divmod(segment[offset], 16)
        tables = scan.ac_codes if table_class else scan.dc_codes
        tables[number] = list(zip(lengths, symbols, strict=False))
        offset += 17 + len(lengths)


def _read_scan_header(segment: bytes, scan: Scan) -> None:
    components = segment[0]
    numbers = segment[2 : 1 + 2 * components : 2]
    scan.dc_tables = tuple(byte >> 4 for byte in numbers)
    scan.ac_tables = tuple(byte & 15 for byte in numbers)
    scan.predictor = segment[1 + 2 * components]
    scan.point_transform = segment[3 + 2 * components] & 15
