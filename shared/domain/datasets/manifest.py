"""Reads `manifest.csv`: the images of a folder, their labels, and the judgements of readers.

Import, study, prediction and the gateway read tables through this module alone. A table that
cannot be trusted as a whole is refused; a row that cannot be trusted is refused with its line.
"""

import math
import os
import posixpath
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from shared.domain.datasets.columns import (
    MANIFEST_COLUMNS,
    OPTIONAL_COLUMNS,
    READER_PREFIX,
    is_reader,
)
from shared.domain.datasets.labels import (
    are_korean_labels_clear,
    is_ambiguous,
    parse_label,
)
from shared.domain.datasets.table_text import (
    Encoding,
    Record,
    TableFault,
    TableText,
    parse_table,
)
from shared.domain.decimals import is_decimal
from shared.domain.identity import Spellings, identity_key
from shared.domain.messages import Message
from shared.domain.training.states import Split
from shared.domain.typed_sizes import MAX_MM
from shared.errors import InputError

MANIFEST_FILE = "manifest.csv"
REQUIRED_COLUMNS = ("image", "malignant")
IDENTITY_COLUMNS = ("patient", "site")
UNICODE_FORMS: tuple[Literal["NFC", "NFD"], ...] = ("NFC", "NFD")
REPLACEMENT_CHARACTER = "\N{REPLACEMENT CHARACTER}"
"""What a program writes in place of text that it could not read."""


class ManifestInvalid(InputError):
    code = "manifest-invalid"
    text = "{path} cannot be imported: {problem}."


class TableInvalid(InputError):
    code = "table-invalid"
    text = "The table cannot be used: {problem}."


class RowInvalid(InputError):
    """`problem` is a message, or a sentence of a validation."""

    code = "row-invalid"
    text = "The row cannot be used: {problem}. Correct it and send it again."


@dataclass(frozen=True)
class Row:
    """One line of the manifest: files by absolute path, labels and other values as checked.

    Attributes
    ----------
    malignant : the label; None if there is none
    name, mask_name : names of the files in the manifest, "" if there is none
    fields : the optional columns that have a value. A patient or site has the spelling in which
        the table names it first
    readers : the judgement of each person, if there is one
    """

    line: int
    image: Path
    malignant: bool | None
    mask: Path | None
    fields: dict[str, str]
    name: str = ""
    mask_name: str = ""
    readers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RefusedRow:
    """A line that cannot be used, and why. `name` is its image, "" if that is in doubt too."""

    line: int
    name: str
    problem: Message

    @property
    def error(self) -> RowInvalid:
        return RowInvalid(problem=self.problem)


@dataclass(frozen=True)
class Manifest:
    """A table of images.

    Attributes
    ----------
    rows : the rows that can be used, by line
    refused : the rows that cannot, by line
    ignored_columns : names of the columns that are ignored; `#3` is the third without a name
    encoding : None if the table came as text
    sample : some words, by which a person sees whether a guessed encoding is right; else ""
    line_count : lines below the first that are not blank
    joined_sites : the other spellings of a site, by the one that is used
    """

    rows: tuple[Row, ...]
    refused: tuple[RefusedRow, ...]
    ignored_columns: tuple[str, ...]
    encoding: Encoding | None
    delimiter: str
    line_count: int
    sample: str = ""
    joined_sites: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def row_count(self) -> int:
        return len(self.rows) + len(self.refused)


def read_manifest(folder: Path) -> Manifest:
    """Return the manifest of a folder.

    Raises ManifestInvalid if it is not a table, or lacks a required column.
    """
    return read_table(folder / MANIFEST_FILE)


def read_table(
    path: Path, required_columns: Collection[str] = REQUIRED_COLUMNS
) -> Manifest:
    """Return the manifest at `path`; its files are in the same folder. Raises ManifestInvalid.

    A file is looked for as it is written, and then in the other Unicode form (NFC, NFD): macOS
    writes Korean names decomposed, most other systems do not.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise ManifestInvalid(path=path, problem=Message("table-no-file")) from error
    except OSError as error:
        reason = error.strerror or str(error)
        problem = Message("table-unreadable", {"reason": reason})
        raise ManifestInvalid(path=path, problem=problem) from error
    return parse_manifest(
        data,
        source_name=path,
        folder=path.parent,
        required_columns=required_columns,
    )


def parse_manifest(
    source: bytes | str,
    *,
    source_name: Path | str,
    folder: Path | None = None,
    required_columns: Collection[str] = REQUIRED_COLUMNS,
    max_rows: int | None = None,
) -> Manifest:
    """Return the manifest in a file's bytes, or in text that has been decoded.

    Error messages call it `source_name`. With `folder`, files are looked for there. Raises
    ManifestInvalid, also for more than `max_rows` rows.
    """
    try:
        table = parse_table(source, max_rows)
        names = table.header.cells
        ignored = MANIFEST_COLUMNS.check(names, required_columns, table.header.line)
    except TableFault as fault:
        raise ManifestInvalid(path=source_name, problem=fault.problem) from fault
    reader = _RowReader(table, folder, required_columns)
    results = _without_contradictions([reader.read(record) for record in table.records])
    return Manifest(
        rows=tuple(result for result in results if isinstance(result, Row)),
        refused=tuple(result for result in results if isinstance(result, RefusedRow)),
        ignored_columns=ignored,
        encoding=table.encoding,
        delimiter=table.delimiter,
        line_count=table.line_count,
        sample=table.sample,
        joined_sites=reader.joined_sites,
    )


def check_no_refused(manifest: Manifest, source_name: Path) -> None:
    """Raise ManifestInvalid for the first refused row, with the number of the others.

    For commands whose figures would be wrong without these rows.
    """
    if not manifest.refused:
        return
    first, *others = manifest.refused
    problem = row_problem(first.line, first.problem, others=len(others))
    raise ManifestInvalid(path=source_name, problem=problem)


def row_problem(line: int, problem: Message | str, *, others: int) -> Message:
    """Why a table with a refused row cannot be used; `others` are the further refused rows."""
    facts: dict[str, object] = {"line": line, "problem": problem}
    if others:
        facts["others"] = others
    return Message("table-row", facts)


def reader_columns(rows: Collection[Row]) -> tuple[str, ...]:
    """Return the names of the people who judged any of these rows, in the order of the columns."""
    return tuple(dict.fromkeys(name for row in rows for name in row.readers))


class _RowReader:
    """Turns records into rows, or into the reason why they cannot be used."""

    def __init__(
        self, table: TableText, folder: Path | None, required_columns: Collection[str]
    ) -> None:
        self._names = table.header.cells
        self._folder = folder
        self._needs_label = "malignant" in required_columns
        self._spellings = {column: Spellings() for column in IDENTITY_COLUMNS}
        self._joined_sites: dict[str, set[str]] = {}
        labels = [self._values(record).get("malignant", "") for record in table.records]
        self._is_korean_clear = are_korean_labels_clear(labels)

    @property
    def joined_sites(self) -> dict[str, tuple[str, ...]]:
        return {
            site: tuple(sorted(texts)) for site, texts in self._joined_sites.items()
        }

    def read(self, record: Record) -> Row | RefusedRow:
        shifted = length_problem(record, len(self._names))
        if shifted is not None:
            return RefusedRow(record.line, "", shifted)
        values = self._values(record)
        try:
            return self._row(record.line, values)
        except _Unusable as unusable:
            name = values.get("image", "")
            return RefusedRow(record.line, name, unusable.problem)

    def _values(self, record: Record) -> dict[str, str]:
        """The cells of known columns that are filled in."""
        if len(record.cells) != len(self._names):
            return {}
        pairs = zip(self._names, record.cells, strict=True)
        values = {
            name: cell
            for name, cell in pairs
            if cell and MANIFEST_COLUMNS.is_known(name)
        }
        for column in IDENTITY_COLUMNS:
            if not identity_key(values.get(column, "")):
                values.pop(column, None)
        return values

    def _row(self, line: int, values: dict[str, str]) -> Row:
        for column, value in values.items():
            if REPLACEMENT_CHARACTER in value:
                raise _Unusable("row-damaged", column=column)
            if _has_control_characters(value):
                raise _Unusable("row-control", column=column)
        malignant = None
        if self._needs_label and "malignant" in values:
            malignant = self._label(values["malignant"])
        _check_size(values.get("size_mm"))
        _check_split(values.get("split"))
        name = values.get("image", "")
        mask_name = values.get("mask", "")
        return Row(
            line=line,
            image=self._path(name),
            malignant=malignant,
            mask=self._path(mask_name) if mask_name else None,
            fields=self._fields(values),
            name=name,
            mask_name=mask_name,
            readers={
                column.removeprefix(READER_PREFIX): value
                for column, value in values.items()
                if is_reader(column)
            },
        )

    def _fields(self, values: dict[str, str]) -> dict[str, str]:
        fields = {
            column: values[column] for column in OPTIONAL_COLUMNS if column in values
        }
        for column, spellings in self._spellings.items():
            if column in fields:
                text = fields[column]
                fields[column] = spellings.unify(text)
                if column == "site" and text != fields[column]:
                    self._joined_sites.setdefault(fields[column], set()).add(text)
        if "split" in fields:
            fields["split"] = fields["split"].lower()
        return fields

    def _label(self, text: str) -> bool:
        malignant = parse_label(text)
        if malignant is None:
            raise _Unusable("row-label", label=text)
        if is_ambiguous(text) and not self._is_korean_clear:
            raise _Unusable("row-label-ambiguous", label=text)
        return malignant

    def _path(self, name: str) -> Path:
        if self._folder is None:
            return Path(name)
        path = find_file(self._folder, name)
        if _leaves(path, self._folder):
            raise _Unusable("row-file-outside", name=name)
        return path


def _without_contradictions(
    results: Sequence[Row | RefusedRow],
) -> list[Row | RefusedRow]:
    """Refuse every row of an image that has both labels, because either may be the right one.

    Rows of one image with different masks or ROIs are different nodules.
    """
    lines: dict[tuple[str, str, str], dict[bool, int]] = {}
    for result in results:
        if isinstance(result, Row) and result.malignant is not None:
            labels = lines.setdefault(_nodule_key(result), {})
            labels.setdefault(result.malignant, result.line)
    return [_or_contradiction(result, lines) for result in results]


def _or_contradiction(
    result: Row | RefusedRow,
    lines: Mapping[tuple[str, str, str], Mapping[bool, int]],
) -> Row | RefusedRow:
    if isinstance(result, RefusedRow):
        return result
    labels = lines.get(_nodule_key(result), {})
    if labels.keys() != {True, False}:
        return result
    problem = label_contradiction(malignant=labels[True], benign=labels[False])
    return RefusedRow(result.line, result.name, problem)


def label_contradiction(*, malignant: int, benign: int) -> Message:
    """Why no row of an image with both labels can be used, by a line of each label."""
    return Message("row-contradiction", {"malignant": malignant, "benign": benign})


def _nodule_key(row: Row) -> tuple[str, str, str]:
    """The image, mask and ROI of a row, equal for `a.png` and `./a.png`."""
    paths = (posixpath.normpath(name) for name in (row.name, row.mask_name))
    image, mask = (unicodedata.normalize("NFC", path) for path in paths)
    return image, mask, row.fields.get("roi", "")


def length_problem(record: Record, columns: int) -> Message | None:
    """Why a row of more or fewer cells than columns cannot be trusted; None if it has as many."""
    cells = len(record.cells)
    if cells == columns:
        return None
    code = "row-too-long" if cells > columns else "row-too-short"
    return Message(code, {"cells": cells, "columns": columns})


class _Unusable(Exception):
    def __init__(self, code: str, **facts: object) -> None:
        super().__init__(code)
        self.problem = Message(code, facts)


def find_file(folder: Path, name: str) -> Path:
    """Return the path of a file that a manifest names, whether it exists or not.

    The name is tried as it is written, then in NFC and in NFD.
    """
    path = folder / name
    if _exists(path):
        return path
    forms = {folder / unicodedata.normalize(form, name) for form in UNICODE_FORMS}
    present = [candidate for candidate in forms if _exists(candidate)]
    if len(present) > 1 and not present[0].samefile(present[1]):
        raise _Unusable("row-file-ambiguous", name=name)
    return present[0] if present else path


def _leaves(path: Path, folder: Path) -> bool:
    """Return whether a path leaves its folder, or is or goes through a link."""
    inner_path = os.path.normpath(os.path.relpath(path, folder))
    try:
        return path.resolve() != folder.resolve() / inner_path or inner_path.startswith(
            os.pardir
        )
    except (OSError, ValueError, RuntimeError):  # a loop of links, a NUL in the name
        return True


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except ValueError:  # a NUL in the name
        return False


def _has_control_characters(text: str) -> bool:
    return any(unicodedata.category(character) == "Cc" for character in text)


def _check_size(text: str | None) -> None:
    if text is None:
        return
    if not (is_decimal(text) and 0 < float(text) < math.inf):
        with_point = text.replace(",", ".")
        if "," in text and is_decimal(with_point):
            raise _Unusable("row-size-comma", size=text, point=with_point)
        raise _Unusable("row-size", size=text)
    if float(text) > MAX_MM:
        raise _Unusable("row-size-large", size=text, most=MAX_MM)


def _check_split(text: str | None) -> None:
    if text is not None and text.lower() not in tuple(Split):
        raise _Unusable("row-split", split=text)
