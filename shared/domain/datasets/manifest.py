"""The one reader of `manifest.csv`: a folder's images, their labels and what people said of them."""

import csv
import io
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from shared.errors import InputError

MANIFEST = "manifest.csv"
REQUIRED_COLUMNS = ("image", "malignant")
OPTIONAL_COLUMNS = ("patient", "site", "size_mm", "split", "tirads")
READER_PREFIX = "reader_"
"""What the name of a column begins with that holds a person's judgements."""
NO_CSV = "it cannot be read as CSV in UTF-8 ({})"


class ManifestInvalid(InputError):
    code = "manifest-invalid"
    text = "{path} cannot be imported: {problem}."


@dataclass(frozen=True)
class Row:
    """One line of the manifest: files by absolute path, the rest as text.

    Attributes
    ----------
    malignant : the label as it stands there, "" where there is none
    name, mask_name : the files as the manifest names them, "" for none
    fields : the optional columns that are filled in
    readers : each person's judgement, where there is one
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
    """All rows of a folder's manifest; raises ManifestInvalid for what is no table, or lacks a needed column."""
    return read_table(folder / MANIFEST)


def read_table(path: Path, required_columns: Collection[str] = REQUIRED_COLUMNS) -> list[Row]:
    """All rows of a manifest by its own path; files are looked for beside it."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as source:
            return _rows(source, path.parent, path, required_columns)
    except FileNotFoundError as missing:
        raise ManifestInvalid(path=path, problem="there is no such file") from missing
    except (OSError, UnicodeDecodeError) as error:
        raise ManifestInvalid(path=path, problem=NO_CSV.format(error)) from error


def parse_table(text: str, source_name: str) -> list[Row]:
    """All rows of a manifest that came as text; `named` is what an error calls it."""
    return _rows(
        io.StringIO(text.removeprefix("\ufeff"), newline=""), Path(), source_name, REQUIRED_COLUMNS
    )


def reader_columns(rows: Collection[Row]) -> tuple[str, ...]:
    """Names of the people who judged any of these rows, in the columns' order."""
    return tuple(dict.fromkeys(name for row in rows for name in row.readers))


def _rows(
    source: Iterable[str], folder: Path, named: Path | str, needed: Collection[str]
) -> list[Row]:
    try:
        reader = csv.DictReader(source)
        if missing := set(needed) - set(reader.fieldnames or ()):
            raise ManifestInvalid(
                path=named, problem=f"its first line lacks {', '.join(sorted(missing))}"
            )
        return [_row(folder, reader.line_num, line) for line in reader]
    except csv.Error as error:
        raise ManifestInvalid(path=named, problem=NO_CSV.format(error)) from error


def _row(folder: Path, number: int, line: dict[str, str]) -> Row:
    told = {
        name: value.strip()
        for name, value in line.items()
        if name and isinstance(value, str) and value.strip()
    }
    image = told.get("image", "")
    mask = told.get("mask")
    return Row(
        line=number,
        image=folder / image,
        malignant=told.get("malignant", ""),
        mask=folder / mask if mask else None,
        fields={name: told[name] for name in OPTIONAL_COLUMNS if name in told},
        name=image,
        mask_name=mask or "",
        readers={
            name.removeprefix(READER_PREFIX): told[name]
            for name in told
            if name.startswith(READER_PREFIX) and name != READER_PREFIX
        },
    )
