"""Reads a table of cases to submit: the image files and what is known of each."""

from dataclasses import dataclass

from shared.domain.datasets.columns import CASE_COLUMNS
from shared.domain.datasets.manifest import RefusedRow, TableInvalid, length_problem
from shared.domain.datasets.table_text import (
    Encoding,
    TableFault,
    parse_table,
)

REQUIRED_COLUMNS = ("file",)


@dataclass(frozen=True)
class CaseRow:
    """One line: the cells of the known columns that are filled in, as they were typed."""

    line: int
    cells: dict[str, str]


@dataclass(frozen=True)
class CaseTable:
    """The cases of a table, as `shared.domain.datasets.manifest.Manifest` has images."""

    rows: tuple[CaseRow, ...]
    refused: tuple[RefusedRow, ...]
    ignored_columns: tuple[str, ...]
    encoding: Encoding | None
    delimiter: str
    sample: str


def parse_case_table(source: bytes | str, max_rows: int | None = None) -> CaseTable:
    """Return the cases in a file's bytes, or in text that has been decoded.

    Raises TableInvalid if the table cannot be trusted as a whole, or has more than `max_rows` rows.
    """
    try:
        table = parse_table(source, max_rows)
        names = table.header.cells
        ignored = CASE_COLUMNS.check(names, REQUIRED_COLUMNS, table.header.line)
    except TableFault as fault:
        raise TableInvalid(problem=fault.problem) from fault
    rows: list[CaseRow] = []
    refused: list[RefusedRow] = []
    for record in table.records:
        problem = length_problem(record, len(names))
        if problem is not None:
            refused.append(RefusedRow(line=record.line, name="", problem=problem))
            continue
        pairs = zip(names, record.cells, strict=True)
        cells = {
            name: cell for name, cell in pairs if cell and CASE_COLUMNS.is_known(name)
        }
        rows.append(CaseRow(line=record.line, cells=cells))
    return CaseTable(
        rows=tuple(rows),
        refused=tuple(refused),
        ignored_columns=ignored,
        encoding=table.encoding,
        delimiter=table.delimiter,
        sample=table.sample,
    )
