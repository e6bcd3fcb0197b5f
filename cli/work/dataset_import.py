"""Imports the rows of a manifest into a dataset.

Files are hashed here. The gateway reports which images it already has. Only the other images are
sent, in batches.
"""

import csv
import hashlib
import io
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cli.connection import ApiClient, ApiProblem
from shared.domain.datasets.columns import OPTIONAL_COLUMNS
from shared.domain.datasets.manifest import Row, RowInvalid, label_contradiction
from shared.domain.messages import Message
from shared.domain.regular_files import FileUnreadable, read_file
from shared.errors import InputError, SeraError

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


Refusal = ApiProblem | RowUnusable | RowInvalid
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
    def nodule(self) -> tuple[str, str, str]:
        return self.image, self.mask, self.row.fields.get("roi", "")

    @property
    def line(self) -> dict[str, str]:
        return {
            "image": self.image,
            "malignant": str(int(bool(self.row.malignant))),
            "mask": self.mask,
            **self.row.fields,
        }


class Importer:
    """Adds the rows of a folder to a dataset.

    With `dry_run` the gateway does everything but the write, and sends the first images back.
    """

    def __init__(self, api: ApiClient, dataset: str, *, dry_run: bool = False) -> None:
        self._api = api
        self._path = f"/v1/datasets/{dataset}"
        self._dry_run = dry_run
        self.thumbnails: list[dict[str, Any]] = []
        """Line and PNG of the first images, of a dry run."""
        self.warnings: list[dict[str, Any]] = []
        """Line, image, code and message of each remark on a file that was sent."""

    def import_rows(self, rows: Sequence[Row]) -> Iterator[RowOutcome]:
        """Add rows and yield the outcome of each.

        An interrupted import can be repeated: it sends only what is missing.
        """
        with ThreadPoolExecutor(PARALLEL_BATCHES) as pool:
            for start in range(0, len(rows), LOOKUP_ROWS):
                chunk = rows[start : start + LOOKUP_ROWS]
                hashed_rows: list[HashedRow] = []
                for row, result in zip(chunk, pool.map(_hash_row, chunk), strict=True):
                    if isinstance(result, SeraError):
                        yield row, result
                    else:
                        hashed_rows.append(result)
                contradictions = _contradictions(hashed_rows)
                clear_rows: list[HashedRow] = []
                for hashed_row in hashed_rows:
                    if hashed_row.nodule in contradictions:
                        yield hashed_row.row, contradictions[hashed_row.nodule]
                    else:
                        clear_rows.append(hashed_row)
                yield from self._add_rows(clear_rows, pool)

    def _add_rows(
        self, rows: list[HashedRow], pool: ThreadPoolExecutor
    ) -> Iterator[RowOutcome]:
        """Send rows in parallel batches.

        Rows that repeat an image are sent last, so that the first row of an image always counts,
        independent of the order in which batches finish. In a dry run, which stores nothing, they
        are in the batch of the first row.
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
        groups = [first_rows, repeated_rows]
        if self._dry_run:
            groups = [_beside_first_rows(first_rows, repeated_rows)]
        for group in groups:
            batches = _batches(self._without_known_files(group))
            for outcomes in pool.map(self._send_batch, batches):
                yield from outcomes

    def _without_known_files(self, rows: list[HashedRow]) -> list[HashedRow]:
        """The rows, without the files of images that the dataset already has."""
        if not rows:
            return []
        known_images = self._known_images([row.image for row in rows])
        return [
            replace(row, files={}, size=0) if row.image in known_images else row
            for row in rows
        ]

    def _known_images(self, hashes: list[str]) -> Collection[str]:
        try:
            known: dict[str, Any] = self._api.post(f"{self._path}/known", json=hashes)
        except ApiProblem as problem:
            if self._dry_run and problem.code == "dataset-unknown":
                return ()
            raise
        images: dict[str, Any] = known["known"]
        return images.keys()

    def _send_batch(self, batch: list[HashedRow]) -> list[RowOutcome]:
        """Send a batch; halve it if it is larger than this gateway accepts."""
        query = "?dry_run=true" if self._dry_run else ""
        try:
            response = self._api.post(
                f"{self._path}/batches{query}", **_request_body(batch)
            )
        except ApiProblem as problem:
            if problem.code != "too-large":
                raise
            if len(batch) == 1:
                row = batch[0].row
                sentence = f"{row.name} is larger than SERA_MAX_UPLOAD_MIB"
                return [(row, RowUnusable(problem=sentence))]
            middle = len(batch) // 2
            first_half = self._send_batch(batch[:middle])
            second_half = self._send_batch(batch[middle:])
            return first_half + second_half
        self._keep_remarks(batch, response)
        return [
            (hashed.row, _outcome(line))
            for hashed, line in zip(batch, response["rows"], strict=True)
        ]

    def _keep_remarks(
        self, batch: list[HashedRow], response: Mapping[str, Any]
    ) -> None:
        """Keep pictures and warnings by lines of the manifest: a batch has lines of its own."""
        rows = {
            line["line"]: hashed.row
            for line, hashed in zip(response["rows"], batch, strict=True)
        }
        for line in response["rows"]:
            row = rows[line["line"]]
            for warning in line["warnings"]:
                self.warnings.append(
                    {
                        "line": row.line,
                        "image": row.name,
                        "code": warning["code"],
                        "message": warning["message"],
                    }
                )
        for thumbnail in response.get("thumbnails", ()):
            row = rows[thumbnail["line"]]
            self.thumbnails.append(
                {"line": row.line, "image": row.name, "base64": thumbnail["base64"]}
            )


def import_rows(
    api: ApiClient, dataset: str, rows: Sequence[Row]
) -> Iterator[RowOutcome]:
    """Add rows to a dataset and yield the outcome of each."""
    return Importer(api, dataset).import_rows(rows)


def _contradictions(
    rows: Sequence[HashedRow],
) -> dict[tuple[str, str, str], RowInvalid]:
    """Return the nodules that have both labels, under whatever names of files, and what to say."""
    lines: dict[tuple[str, str, str], dict[bool, int]] = {}
    for row in rows:
        labels = lines.setdefault(row.nodule, {})
        labels.setdefault(bool(row.row.malignant), row.row.line)
    return {
        nodule: RowInvalid(
            problem=label_contradiction(malignant=labels[True], benign=labels[False])
        )
        for nodule, labels in lines.items()
        if len(labels) > 1
    }


def _beside_first_rows(
    first_rows: list[HashedRow], repeated_rows: list[HashedRow]
) -> list[HashedRow]:
    """The rows by image, each first row before those that repeat its image."""
    rows_by_image: dict[str, list[HashedRow]] = {}
    for row in (*first_rows, *repeated_rows):
        rows_by_image.setdefault(row.image, []).append(row)
    return [row for rows in rows_by_image.values() for row in rows]


def _batches(rows: list[HashedRow]) -> Iterator[list[HashedRow]]:
    """Cut rows into batches. Rows of one image that follow each other stay together."""
    batch: list[HashedRow] = []
    size = 0
    for row in rows:
        is_full = size + row.size > BATCH_BYTES or len(batch) >= BATCH_ROWS
        if batch and is_full and row.image != batch[-1].image:
            yield batch
            batch = []
            size = 0
        batch.append(row)
        size += row.size
    if batch:
        yield batch


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


def _hash_row(row: Row) -> HashedRow | Refusal:
    if row.malignant is None:
        return RowInvalid(problem=Message("row-unlabelled"))
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


def _digest(path: Path) -> str:
    if path.is_dir():
        raise RowUnusable(problem="It names no image")
    return hashlib.sha256(_read(path)).hexdigest()


def _read(path: Path) -> bytes:
    try:
        return read_file(path)
    except FileUnreadable as error:
        problem = f"{path.name} cannot be opened ({error.facts['problem']})"
        raise RowUnusable(problem=problem) from error
