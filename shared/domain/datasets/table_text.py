"""Reads a table: its encoding, its delimiter, and its cells by line (RFC 4180, strictly).

Nothing is guessed in silence: the encoding and the delimiter are part of the result, and a table
whose rows cannot be told apart is refused with the line.
"""

import codecs
import csv
import io
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from shared.domain.messages import Message

DELIMITERS = (",", ";", "\t", "|")
SEPARATOR_LINE = re.compile(
    r'"?sep=(?P<delimiter>.)(?P=delimiter)*+"?\s*+', re.IGNORECASE | re.DOTALL
)
"""The first line by which Excel names the delimiter. A program that wrote the table again has
filled the line up with delimiters.
"""
BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
"""UTF-32 stands before UTF-16, whose mark is the beginning of UTF-32's."""
HEAD_BYTES = 400
"""Bytes in which UTF-16 without a mark is recognised."""
MIN_NUL_SHARE = 0.25
"""Share of character pairs with a NUL from which a text is UTF-16: its first line is mostly ASCII."""
MIN_KOREAN_SHARE = 0.8
"""Share of common Korean syllables among the letters that are not ASCII, from which a text is
CP949. Nearly all bytes of Latin-1 and of Chinese encodings are some text of CP949, but no
Korean one.
"""
FIRST_COMMON_BYTE = 0xA1
"""Both bytes of the 2,350 common syllables (KS X 1001) are at least this; those of the rare
ones are not."""
WORD = re.compile(r"[^\W\x00-\x7f]\w*")
SAMPLE_WORDS = 3


class TableFault(Exception):
    """The bytes are no table that can be trusted. `problem` says where and why."""

    def __init__(self, code: str, **facts: object) -> None:
        super().__init__(code)
        self.problem = Message(code, facts)


class Encoding(StrEnum):
    """Names as a person knows them."""

    UTF8 = "UTF-8"
    UTF16 = "UTF-16"
    UTF32 = "UTF-32"
    CP949 = "CP949"


@dataclass(frozen=True)
class Record:
    """The cells of one row, stripped, and the line on which it begins."""

    line: int
    cells: tuple[str, ...]

    @property
    def is_blank(self) -> bool:
        return not any(self.cells)


@dataclass(frozen=True)
class TableText:
    """The records of a table.

    Attributes
    ----------
    header : the names of the columns
    records : the rows below it, without blank lines
    encoding : None if the table came as text
    sample : some words, by which a person sees whether a guessed encoding is right; else ""
    line_count : lines below the header that are not blank; more than there are records if a cell
        runs over several lines
    """

    header: Record
    records: tuple[Record, ...]
    delimiter: str
    encoding: Encoding | None
    sample: str
    line_count: int


def parse_table(source: bytes | str, max_rows: int | None = None) -> TableText:
    """Return the table in a file's bytes, or in text that has been decoded.

    Raises TableFault, also as soon as more than `max_rows` rows are read.
    """
    if isinstance(source, bytes):
        text, encoding = decode_table(source)
        return read_table_text(text, encoding, max_rows=max_rows)
    return read_table_text(source, max_rows=max_rows)


def decode_table(data: bytes) -> tuple[str, Encoding]:
    """Return the text of a file and its encoding.

    The first of these that fits is taken: a byte order mark; UTF-16 by its NUL bytes; UTF-8; CP949,
    which a Korean Windows writes, if the letters are Korean. Raises TableFault.
    """
    for mark, codec in BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return _decoded(data[len(mark) :], codec)
    codec_without_mark = _utf16_by_nul_bytes(data)
    if codec_without_mark is not None:
        return _decoded(data, codec_without_mark)
    try:
        return data.decode("utf-8"), Encoding.UTF8
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
    try:
        text = data.decode("cp949")
    except UnicodeDecodeError:
        raise TableFault("table-encoding", line=line) from None
    if not _is_korean(text):
        raise TableFault("table-not-korean", line=line, sample=_sample(text))
    return text, Encoding.CP949


def read_table_text(
    text: str, encoding: Encoding | None = None, *, max_rows: int | None = None
) -> TableText:
    """Split a text into records. Raises TableFault with the line."""
    lines = io.StringIO(text.removeprefix("\ufeff"), newline="").readlines()
    skipped_lines = 0
    separator = SEPARATOR_LINE.fullmatch(lines[0]) if lines else None
    if separator:
        delimiter = separator["delimiter"]
        if delimiter not in DELIMITERS:
            raise TableFault("table-separator", separator=delimiter)
        lines = lines[1:]
        skipped_lines = 1
    else:
        first_line = next((line for line in lines if line.strip()), "")
        delimiter = _delimiter(first_line)
    records: list[Record] = []
    for record in _records(lines, delimiter, skipped_lines):
        if record.is_blank:
            continue
        if max_rows is not None and len(records) > max_rows:  # the header is a record
            raise TableFault("table-too-long", most=max_rows)
        records.append(record)
    header, *rows = records or [Record(line=1, cells=())]
    _check_line_ends(header, rows)
    lines_below = lines[header.line - skipped_lines :]
    return TableText(
        header=header,
        records=tuple(rows),
        delimiter=delimiter,
        encoding=encoding,
        sample=_sample(text) if encoding is Encoding.CP949 else "",
        line_count=sum(1 for line in lines_below if line.strip(f"\r\n\t {delimiter}")),
    )


def _check_line_ends(header: Record, rows: Sequence[Record]) -> None:
    """Refuse a table whose rows all end with a delimiter more than its first line.

    Whether the column that has no name is the last one is not known.
    """
    columns = len(header.cells)
    if rows and all(
        len(row.cells) > columns and not any(row.cells[columns:]) for row in rows
    ):
        raise TableFault("table-line-ends", line=header.line)


def _is_korean(text: str) -> bool:
    counts = {
        letter: count
        for letter, count in Counter(text).items()
        if unicodedata.category(letter) == "Lo"
    }
    common = sum(counts[letter] for letter in counts if _is_common_korean(letter))
    return common >= MIN_KOREAN_SHARE * sum(counts.values())


def _is_common_korean(letter: str) -> bool:
    is_syllable = "가" <= letter <= "힣"
    return is_syllable and min(letter.encode("cp949")) >= FIRST_COMMON_BYTE


def _sample(text: str) -> str:
    """The first words with letters that are not ASCII."""
    words = dict.fromkeys(match[0] for match in WORD.finditer(text))
    return " ".join(list(words)[:SAMPLE_WORDS])


def _decoded(data: bytes, codec: str) -> tuple[str, Encoding]:
    encoding = Encoding(codec[:6].rstrip("-").upper())
    try:
        return data.decode(codec), encoding
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise TableFault("table-encoding", line=line) from None


def _utf16_by_nul_bytes(data: bytes) -> str | None:
    """The codec of UTF-16 without a mark: every other byte of ASCII text is NUL."""
    head = data[:HEAD_BYTES]
    pairs = len(head) // 2
    low, high = head[0::2].count(0), head[1::2].count(0)
    if not pairs or len(data) % 2 or max(low, high) < MIN_NUL_SHARE * pairs:
        return None
    if min(low, high) * 4 > max(low, high):
        return None
    return "utf-16-le" if high > low else "utf-16-be"


def _delimiter(first_line: str) -> str:
    """The delimiter that gives the first line most cells; a comma if there are none.

    A delimiter with which the line is no CSV gives none. If no other one is left, the records
    raise the fault.
    """
    return max(DELIMITERS, key=lambda delimiter: len(_cells(first_line, delimiter)))


def _cells(line: str, delimiter: str) -> Sequence[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:  # such as a cell above the limit of csv
        return []


def _records(
    lines: Sequence[str], delimiter: str, skipped_lines: int
) -> Iterator[Record]:
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        line = reader.line_num + skipped_lines + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise _csv_fault(error, line, reader.line_num + skipped_lines) from error
        last_line = reader.line_num + skipped_lines
        if last_line > line:
            _check_long_cells(cells, delimiter, line=line, last_line=last_line)
        yield Record(line=line, cells=tuple(cell.strip() for cell in cells))


def _csv_fault(error: csv.Error, line: int, last_line: int) -> TableFault:
    if "expected after" in str(error) or "end of data" in str(error):
        if last_line == line:
            return TableFault("table-quote", line=line)
        return TableFault("table-quote", line=line, last_line=last_line)
    return TableFault("table-csv", line=line, reason=str(error))


def _check_long_cells(
    cells: Sequence[str], delimiter: str, *, line: int, last_line: int
) -> None:
    """Refuse a cell that seems to have swallowed the rows below it.

    A quotation mark that is closed some lines later makes one cell of the lines between. A cell of
    several lines without a delimiter in it cannot have swallowed a row.
    """
    for cell in cells:
        if delimiter in cell and ("\n" in cell or "\r" in cell):
            raise TableFault("table-quote", line=line, last_line=last_line)
