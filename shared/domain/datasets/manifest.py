"""Reads `manifest.csv`: the images of a folder, their labels, and the judgements of readers."""

import csv
import io
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from shared.errors import InputError

MANIFEST_FILE = "manifest.csv"
REQUIRED_COLUMNS = ("image", "malignant")
OPTIONAL_COLUMNS = ("patient", "site", "size_mm", "split", "tirads")
READER_PREFIX = "reader_"
"""Start of the name of a column with the judgements of a person."""
INVALID_CSV_REASON = "it cannot be read as CSV in UTF-8 ({})"


class ManifestInvalid(InputError):
    code = "manifest-invalid"
    text = "{path} cannot be imported: {problem}."


@dataclass(frozen=True)
class Row:
    """One line of the manifest: files by absolute path, all other values as text.

    Attributes
    ----------
    malignant : the label as the manifest has it, "" if there is none
    name, mask_name : names of the files in the manifest, "" if there is none
    fields : the optional columns that have a value
    readers : the judgement of each person, if there is one
    """

    line: int
    image: Path
    malignant: str
    mask: Path | None
    fields: dict[str, str]
    name: str = ""
    mask_name: str = ""
    readers: dict[str, str] = field(default_factory=dict)


def read_manifest(folder: Path) -> list[Row]:
    """Return all rows of a folder's manifest.

    Raises ManifestInvalid if it is not a table, or lacks a required column.
    """
    return read_table(folder / MANIFEST_FILE)


def read_table(
    path: Path, required_columns: Collection[str] = REQUIRED_COLUMNS
) -> list[Row]:
    """Return all rows of the manifest at `path`; its files are in the same folder."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return _read_rows(
                file,
                folder=path.parent,
                source_name=path,
                required_columns=required_columns,
            )
    except FileNotFoundError as error:
        raise ManifestInvalid(path=path, problem="there is no such file") from error
    except (OSError, UnicodeDecodeError) as error:
        problem = INVALID_CSV_REASON.format(error)
        raise ManifestInvalid(path=path, problem=problem) from error


def parse_table(text: str, source_name: str) -> list[Row]:
    """Return all rows of a manifest in `text`; error messages call it `source_name`."""
    return _read_rows(
        io.StringIO(text.removeprefix("\ufeff"), newline=""),
        folder=Path(),
        source_name=source_name,
        required_columns=REQUIRED_COLUMNS,
    )


def reader_columns(rows: Collection[Row]) -> tuple[str, ...]:
    """Return the names of the people who judged any of these rows, in the order of the columns."""
    return tuple(dict.fromkeys(name for row in rows for name in row.readers))


def _read_rows(
    lines: Iterable[str],
    *,
    folder: Path,
    source_name: Path | str,
    required_columns: Collection[str],
) -> list[Row]:
    try:
        reader = csv.DictReader(lines)
        missing_columns = set(required_columns) - set(reader.fieldnames or ())
        if missing_columns:
            columns = ", ".join(sorted(missing_columns))
            raise ManifestInvalid(
                path=source_name, problem=f"its first line lacks {columns}"
            )
        return [_row(folder, reader.line_num, record) for record in reader]
    except csv.Error as error:
        problem = INVALID_CSV_REASON.format(error)
        raise ManifestInvalid(path=source_name, problem=problem) from error


def _row(folder: Path, line: int, record: dict[str, str]) -> Row:
    values: dict[str, str] = {}
    for column, value in record.items():
        if column and isinstance(value, str) and value.strip():
            values[column] = value.strip()
    readers = {}
    for column, value in values.items():
        if column.startswith(READER_PREFIX) and column != READER_PREFIX:
            readers[column.removeprefix(READER_PREFIX)] = value
    image = values.get("image", "")
    mask = values.get("mask")
    return Row(
        line=line,
        image=folder / image,
        malignant=values.get("malignant", ""),
        mask=folder / mask if mask else None,
        fields={
            column: values[column] for column in OPTIONAL_COLUMNS if column in values
        },
        name=image,
        mask_name=mask or "",
        readers=readers,
    )
