"""A folder with a manifest, row by row into a dataset."""

import csv
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from cli.connection import Api, ApiProblem
from shared.errors import InputError

AT_ONCE = 4
NEEDED = {"image", "malignant"}
OPTIONAL = ("patient", "site", "size_mm", "split", "tirads")


class ManifestInvalid(InputError):
    code = "manifest-invalid"
    text = "{path} cannot be imported: {problem}."


class RowUnusable(InputError):
    code = "row-unusable"
    text = "{problem}. Correct it and import the folder again; rows that are there already are passed over."


Refusal = ApiProblem | RowUnusable


@dataclass(frozen=True)
class Row:
    """One line of the manifest: files by absolute path, the rest as text."""

    line: int
    image: Path
    malignant: str
    mask: Path | None
    fields: dict[str, str]


def read_manifest(folder: Path) -> list[Row]:
    """All rows; raises ManifestInvalid for what is no table, or one without the columns that are needed."""
    path = folder / "manifest.csv"
    try:
        with path.open(newline="", encoding="utf-8-sig") as source:
            reader = csv.DictReader(source)
            if missing := NEEDED - set(reader.fieldnames or ()):
                raise ManifestInvalid(path=path, problem=f"its first line lacks {', '.join(sorted(missing))}")
            return [_row(folder, number, line) for number, line in enumerate(reader, start=2)]
    except FileNotFoundError as missing:
        raise ManifestInvalid(path=path, problem="there is no such file") from missing
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ManifestInvalid(path=path, problem=f"it cannot be read as CSV in UTF-8 ({error})") from error


def add_all(api: Api, dataset: str, rows: Sequence[Row]) -> Iterator[tuple[Row, bool | Refusal]]:
    """Add rows a few at a time; yields for each whether it was new, or why it was refused."""

    def add(row: Row) -> tuple[Row, bool | Refusal]:
        try:
            return row, _add(api, dataset, row)
        except (ApiProblem, RowUnusable) as refusal:
            return row, refusal

    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield from pool.map(add, rows)


def _add(api: Api, dataset: str, row: Row) -> bool:
    with ExitStack() as opened:
        sources = {"image": row.image} | ({"mask": row.mask} if row.mask else {})
        files = {name: (path.name, opened.enter_context(_opened(path))) for name, path in sources.items()}
        data = {"malignant": row.malignant, **row.fields}
        return api.post(f"/v1/datasets/{dataset}/images", data=data, files=files)["added"]


def _opened(path: Path) -> BinaryIO:
    if path.is_dir():
        raise RowUnusable(problem="It names no image")
    try:
        return path.open("rb")
    except OSError as error:
        raise RowUnusable(problem=f"{path.name} cannot be opened ({error.strerror})") from error


def _row(folder: Path, number: int, line: dict[str, str]) -> Row:
    fields = {name: line[name].strip() for name in OPTIONAL if (line.get(name) or "").strip()}
    mask = (line.get("mask") or "").strip()
    image, malignant = (line["image"] or "").strip(), (line["malignant"] or "").strip()
    return Row(number, folder / image, malignant, folder / mask if mask else None, fields)
