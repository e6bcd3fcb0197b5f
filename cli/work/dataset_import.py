"""A manifest's rows into a dataset: hashed here, asked about, and only what is missing sent, in
batches.
"""

import csv
import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from cli.connection import ApiClient, ApiProblem
from shared.domain.datasets.manifest import OPTIONAL, Row
from shared.errors import InputError

AT_ONCE = 2
"""Batches on their way at once: one is read and sent while another is stored."""
ASKED_AT_ONCE = 1000
BATCH_BYTES = 6 * 2**20
BATCH_ROWS = 200
"""What a batch holds at most, so that it stays below the gateway's cap and a broken-off one costs
little.
"""
COLUMNS = ("image", "malignant", "mask", *OPTIONAL)


class RowUnusable(InputError):
    code = "row-unusable"
    text = (
        "{problem}. Correct it and import the folder again; rows that are there already "
        "are passed over."
    )


Refusal = ApiProblem | RowUnusable
Outcome = bool | Refusal
"""Whether a row was new, or why it was refused."""
Answered = tuple[Row, Outcome]


@dataclass(frozen=True)
class Hashed:
    """A row whose files were found, known by their SHA-256; `files` are those that have to be sent."""

    row: Row
    image: str
    mask: str
    files: dict[str, Path]
    size: int

    @property
    def line(self) -> dict[str, str]:
        return {
            "image": self.image,
            "malignant": self.row.malignant,
            "mask": self.mask,
            **self.row.fields,
        }


def add_all(api: ApiClient, dataset: str, rows: Sequence[Row]) -> Iterator[Answered]:
    """Add rows; yields each with what became of it. Broken off and repeated, it goes on where it
    was.
    """
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for start in range(0, len(rows), ASKED_AT_ONCE):
            some = rows[start : start + ASKED_AT_ONCE]
            found = list(zip(some, pool.map(_hashed, some), strict=True))
            yield from (
                (row, each) for row, each in found if isinstance(each, RowUnusable)
            )
            yield from _add(
                api,
                dataset,
                [each for _, each in found if isinstance(each, Hashed)],
                pool,
            )


def _add(
    api: ApiClient, dataset: str, rows: list[Hashed], pool: ThreadPoolExecutor
) -> Iterator[Answered]:
    """Rows that repeat an image go last, so that the first one counts whatever batch is quicker."""
    firsts = {each.image: each for each in reversed(rows)}
    repeats = [each for each in rows if firsts[each.image] is not each]
    for these in (list(reversed(firsts.values())), repeats):
        for answered in pool.map(
            partial(_send, api, dataset), _batches(_missing(api, dataset, these))
        ):
            yield from answered


def _missing(api: ApiClient, dataset: str, rows: list[Hashed]) -> list[Hashed]:
    """The rows without the files of those that the dataset has."""
    hashes = [each.image for each in rows]
    known = (
        api.post(f"/v1/datasets/{dataset}/known", json=hashes)["known"]
        if hashes
        else {}
    )
    return [
        replace(each, files={}, size=0) if each.image in known else each
        for each in rows
    ]


def _batches(rows: list[Hashed]) -> Iterator[list[Hashed]]:
    batch: list[Hashed] = []
    size = 0
    for row in rows:
        if batch and (size + row.size > BATCH_BYTES or len(batch) == BATCH_ROWS):
            yield batch
            batch = []
            size = 0
        batch.append(row)
        size += row.size
    if batch:
        yield batch


def _send(api: ApiClient, dataset: str, batch: list[Hashed]) -> list[Answered]:
    """Halves a batch that is larger than this gateway takes."""
    try:
        told = api.post(f"/v1/datasets/{dataset}/batches", **_body(batch))["rows"]
    except ApiProblem as problem:
        if problem.code != "too-large":
            raise
        if len(batch) == 1:
            return [
                (
                    batch[0].row,
                    RowUnusable(
                        problem=f"{batch[0].row.name} is larger than SERA_MAX_UPLOAD_MIB"
                    ),
                )
            ]
        middle = len(batch) // 2
        return _send(api, dataset, batch[:middle]) + _send(api, dataset, batch[middle:])
    return [(each.row, _outcome(line)) for each, line in zip(batch, told, strict=True)]


def _body(batch: list[Hashed]) -> dict[str, Any]:
    """The parts of the request; files go by their hashes, so that rows may share one."""
    table = io.StringIO()
    writer = csv.DictWriter(table, COLUMNS)
    writer.writeheader()
    writer.writerows(each.line for each in batch)
    files = {name: path for each in batch for name, path in each.files.items()}
    parts = [
        ("files", (name, _read(path), "application/octet-stream"))
        for name, path in files.items()
    ]
    return {
        "files": [
            ("manifest", ("manifest.csv", table.getvalue().encode(), "text/csv")),
            *parts,
        ]
    }


def _outcome(line: Mapping[str, Any]) -> Outcome:
    if line["code"]:
        return ApiProblem(line["code"], line["message"])
    return bool(line["outcome"] == "added")


def _hashed(row: Row) -> Hashed | RowUnusable:
    try:
        image = _digest(row.image)
        mask = _digest(row.mask) if row.mask else ""
    except RowUnusable as refusal:
        return refusal
    files = {image: row.image} | ({mask: row.mask} if row.mask else {})
    return Hashed(
        row, image, mask, files, sum(path.stat().st_size for path in files.values())
    )


def _digest(path: Path) -> str:
    if path.is_dir():
        raise RowUnusable(problem="It names no image")
    return hashlib.sha256(_read(path)).hexdigest()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:  # a NUL in a name is a ValueError
        why = getattr(error, "strerror", None) or error
        raise RowUnusable(problem=f"{path.name} cannot be opened ({why})") from error
