"""A folder with a manifest, row by row into a dataset."""

import csv
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from cli.connection import Api, ApiProblem
from shared.errors import InputError

AT_ONCE = 4
NEEDED = {"image", "malignant"}
OPTIONAL = ("patient", "site", "size_mm", "split", "tirads")


class ManifestInvalid(InputError):
    code = "manifest-invalid"
    text = "{path} cannot be imported: {problem}."


@dataclass(frozen=True)
class Row:
    """One line of the manifest: files by absolute path, the rest as text."""

    line: int
    image: Path
    malignant: str
    mask: Path | None
    fields: dict[str, str]


def read_manifest(folder: Path) -> list[Row]:
    """All rows; raises ManifestInvalid for a missing column or file before anything is sent."""
    path = folder / "manifest.csv"
    if not path.exists():
        raise ManifestInvalid(path=path, problem="there is no such file")
    with path.open(newline="", encoding="utf-8-sig") as source:
        reader = csv.DictReader(source)
        if missing := NEEDED - set(reader.fieldnames or ()):
            raise ManifestInvalid(path=path, problem=f"its first line lacks {', '.join(sorted(missing))}")
        rows = [_row(folder, number, line) for number, line in enumerate(reader, start=2)]
    for row in rows:
        for file in filter(None, (row.image, row.mask)):
            if not file.is_file():
                raise ManifestInvalid(path=path, problem=f"line {row.line} names {file.name}, which is not there")
    return rows


def add_all(api: Api, dataset: str, rows: Sequence[Row]) -> Iterator[tuple[Row, bool | ApiProblem]]:
    """Add rows a few at a time; yields for each whether it was new, or the problem it met."""

    def add(row: Row) -> tuple[Row, bool | ApiProblem]:
        try:
            return row, _add(api, dataset, row)
        except ApiProblem as problem:
            return row, problem

    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield from pool.map(add, rows)


def _add(api: Api, dataset: str, row: Row) -> bool:
    with ExitStack() as opened:
        sources = {"image": row.image} | ({"mask": row.mask} if row.mask else {})
        files = {name: (path.name, opened.enter_context(path.open("rb"))) for name, path in sources.items()}
        data = {"malignant": row.malignant, **row.fields}
        return api.post(f"/v1/datasets/{dataset}/images", data=data, files=files)["added"]


def _row(folder: Path, number: int, line: dict[str, str]) -> Row:
    fields = {name: line[name].strip() for name in OPTIONAL if (line.get(name) or "").strip()}
    mask = (line.get("mask") or "").strip()
    image, malignant = (line["image"] or "").strip(), (line["malignant"] or "").strip()
    return Row(number, folder / image, malignant, folder / mask if mask else None, fields)
