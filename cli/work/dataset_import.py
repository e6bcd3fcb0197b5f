"""Imports the rows of a manifest into a dataset.

Files are hashed here. The gateway reports which images it already has. Only the other images are
sent, in batches.
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
from shared.domain.datasets.columns import OPTIONAL_COLUMNS
from shared.domain.datasets.manifest import Row
from shared.errors import InputError

PARALLEL_BATCHES = 2
"""One batch is read and sent while the gateway stores another."""
LOOKUP_ROWS = 1000
BATCH_BYTES = 6 * 2**20
BATCH_ROWS = 200
"""Upper bounds of a batch: below the gateway's limit, and cheap to repeat after an interruption."""
COLUMNS = ("image", "malignant", "mask", *OPTIONAL_COLUMNS)


class RowUnusable(InputError):
    code = "row-unusable"
    text = (
        "{problem}. Correct it and import the folder again; rows that are there already "
        "are passed over."
    )


Refusal = ApiProblem | RowUnusable
Outcome = bool | Refusal
"""Whether a row was new, or why it was refused."""
RowOutcome = tuple[Row, Outcome]


@dataclass(frozen=True)
class HashedRow:
    """A row whose files exist, identified by their SHA-256."""

    row: Row
    image: str
    mask: str
    files: dict[str, Path]
    """The files that have to be sent, by SHA-256."""
    size: int
    """Bytes of these files."""

    @property
    def line(self) -> dict[str, str]:
        return {
            "image": self.image,
            "malignant": _label_cell(self.row.malignant),
            "mask": self.mask,
            **self.row.fields,
        }


def import_rows(
    api: ApiClient, dataset: str, rows: Sequence[Row]
) -> Iterator[RowOutcome]:
    """Add rows to a dataset and yield the outcome of each.

    An interrupted import can be repeated: it sends only what is missing.
    """
    with ThreadPoolExecutor(PARALLEL_BATCHES) as pool:
        for start in range(0, len(rows), LOOKUP_ROWS):
            chunk = rows[start : start + LOOKUP_ROWS]
            hashed_rows: list[HashedRow] = []
            for row, result in zip(chunk, pool.map(_hash_row, chunk), strict=True):
                if isinstance(result, RowUnusable):
                    yield row, result
                else:
                    hashed_rows.append(result)
            yield from _add_rows(api, dataset, hashed_rows, pool)


def _add_rows(
    api: ApiClient, dataset: str, rows: list[HashedRow], pool: ThreadPoolExecutor
) -> Iterator[RowOutcome]:
    """Send rows in parallel batches.

    Rows that repeat an image are sent last, so that the first row of an image always counts,
    independent of the order in which batches finish.
    """
    first_rows: list[HashedRow] = []
    repeated_rows: list[HashedRow] = []
    images: set[str] = set()
    for row in rows:
        if row.image in images:
            repeated_rows.append(row)
        else:
            images.add(row.image)
            first_rows.append(row)
    send = partial(_send_batch, api, dataset)
    for group in (first_rows, repeated_rows):
        batches = _batches(_without_known_files(api, dataset, group))
        for outcomes in pool.map(send, batches):
            yield from outcomes


def _without_known_files(
    api: ApiClient, dataset: str, rows: list[HashedRow]
) -> list[HashedRow]:
    """The rows, without the files of images that the dataset already has."""
    if not rows:
        return []
    hashes = [row.image for row in rows]
    known_images = api.post(f"/v1/datasets/{dataset}/known", json=hashes)["known"]
    return [
        replace(row, files={}, size=0) if row.image in known_images else row
        for row in rows
    ]


def _batches(rows: list[HashedRow]) -> Iterator[list[HashedRow]]:
    batch: list[HashedRow] = []
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


def _send_batch(
    api: ApiClient, dataset: str, batch: list[HashedRow]
) -> list[RowOutcome]:
    """Send a batch; halve it if it is larger than this gateway accepts."""
    try:
        response = api.post(f"/v1/datasets/{dataset}/batches", **_request_body(batch))
    except ApiProblem as problem:
        if problem.code != "too-large":
            raise
        if len(batch) == 1:
            row = batch[0].row
            sentence = f"{row.name} is larger than SERA_MAX_UPLOAD_MIB"
            return [(row, RowUnusable(problem=sentence))]
        middle = len(batch) // 2
        first_half = _send_batch(api, dataset, batch[:middle])
        second_half = _send_batch(api, dataset, batch[middle:])
        return first_half + second_half
    return [
        (hashed.row, _outcome(line))
        for hashed, line in zip(batch, response["rows"], strict=True)
    ]


def _request_body(batch: list[HashedRow]) -> dict[str, Any]:
    """The multipart fields of a batch. Files are named by their hashes, so rows can share one."""
    table = io.StringIO()
    writer = csv.DictWriter(table, COLUMNS)
    writer.writeheader()
    files: dict[str, Path] = {}
    for row in batch:
        writer.writerow(row.line)
        files |= row.files
    manifest = ("manifest.csv", table.getvalue().encode(), "text/csv")
    parts: list[tuple[str, tuple[str, bytes, str]]] = [("manifest", manifest)]
    for name, path in files.items():
        parts.append(("files", (name, _read(path), "application/octet-stream")))
    return {"files": parts}


def _outcome(line: Mapping[str, Any]) -> Outcome:
    if line["code"]:
        return ApiProblem(line["code"], line["message"])
    return bool(line["outcome"] == "added")


def _hash_row(row: Row) -> HashedRow | RowUnusable:
    files: dict[str, Path] = {}
    try:
        image = _digest(row.image)
        files[image] = row.image
        mask = ""
        if row.mask:
            mask = _digest(row.mask)
            files[mask] = row.mask
    except RowUnusable as refusal:
        return refusal
    return HashedRow(
        row=row,
        image=image,
        mask=mask,
        files=files,
        size=sum(path.stat().st_size for path in files.values()),
    )


def _label_cell(malignant: bool | None) -> str:
    return "" if malignant is None else str(int(malignant))


def _digest(path: Path) -> str:
    if path.is_dir():
        raise RowUnusable(problem="It names no image")
    return hashlib.sha256(_read(path)).hexdigest()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:  # a NUL in a name is a ValueError
        reason = getattr(error, "strerror", None) or error
        raise RowUnusable(problem=f"{path.name} cannot be opened ({reason})") from error
