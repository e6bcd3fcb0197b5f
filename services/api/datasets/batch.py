"""Adds many labelled images in one request. A refused row does not stop the other rows."""

import re
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from fastapi import UploadFile
from pydantic import ValidationError

from services.api.datasets.content import (
    Content,
    ImageFiles,
    StoredFiles,
    dataset_contents,
    uploaded_content,
)
from services.api.datasets.schemas import BatchReport, BatchRow, Facts, batch_report
from services.api.datasets.service import find_dataset, labelled_image
from services.api.errors import error_item, validation_summary
from shared.domain.datasets.manifest import (
    INVALID_CSV_REASON,
    ManifestInvalid,
    Row,
    parse_table,
)
from shared.errors import InputError, SeraError
from shared.ledger import SystemSession
from shared.ledger.datasets.drafts import AddStatus
from shared.ledger.datasets.labelled_image import LabelledImage
from shared.ledger.idempotency.requests import IdempotentRequest

STORE_THREADS = 8
"""Threads that store files. Each of them mostly waits for the disk."""
MAX_ROWS = 2000
HASH = re.compile("[0-9a-f]{64}")
MANIFEST = "The manifest"
REFUSED = "refused"
Answer = AddStatus | SeraError


class BatchTooLong(InputError):
    code = "batch-too-long"
    text = "The manifest has {rows} rows; a batch takes {most}. Send the rest in further batches."


class FilesAmbiguous(InputError):
    code = "files-ambiguous"
    text = "Two files of the batch are named {name!r}. Name each file once, and let rows share it."


class FileMissing(InputError):
    code = "file-missing"
    text = (
        "No file named {name!r} came with the batch. Send it under the very name that the "
        "manifest gives it."
    )


class RowUnnamed(InputError):
    code = "row-unnamed"
    text = "The row names no image. Fill in its column `image`."


class RowInvalid(InputError):
    code = "row-invalid"
    text = "The row cannot be used: {problem}. Correct it and send it again."


@dataclass(frozen=True)
class PreparedRow:
    """A row whose facts are checked, and whose files are stored if they were sent."""

    content: Content
    """The hashes of the files as they were sent."""
    facts: Facts
    stored: StoredFiles | None = None

    @property
    def has_files(self) -> bool:
        return self.stored is not None


class BatchService:
    """Adds the rows of a manifest. The transaction that adds them begins after their files are
    stored.
    """

    def __init__(
        self,
        session: SystemSession,
        files: ImageFiles,
        idempotent: IdempotentRequest | None,
    ) -> None:
        self._session = session
        self._files = files
        self._idempotent = idempotent

    def add_rows(
        self, name: str, manifest: UploadFile | str, uploads: Iterable[UploadFile]
    ) -> BatchReport:
        """Add the manifest's rows to the dataset, and report the outcome of each."""
        rows = read_rows(manifest)
        find_dataset(self._session, name)
        self._session.transaction.commit()
        files = read_files(uploads)
        with ThreadPoolExecutor(STORE_THREADS) as pool:
            prepared = list(pool.map(lambda row: self._try_prepare(row, files), rows))
        if self._idempotent is not None:
            self._idempotent.reserve()
        return batch_report(self._add(name, rows, prepared))

    def _try_prepare(
        self, row: Row, files: Mapping[str, bytes]
    ) -> PreparedRow | SeraError:
        """Return the prepared row, or the error of a refused row. An error that a retry may cure is
        raised.
        """
        try:
            return self._prepare(row, files)
        except SeraError as error:
            if error.retryable:
                raise
            return error

    def _prepare(self, row: Row, files: Mapping[str, bytes]) -> PreparedRow:
        if not row.name:
            raise RowUnnamed
        row_facts = facts(row)
        if row.name not in files and HASH.fullmatch(row.name):
            content = Content(image_sha256=row.name, mask_sha256=row.mask_name or None)
            return PreparedRow(content=content, facts=row_facts)
        image = _file(files, row.name)
        mask = _file(files, row.mask_name) if row.mask_name else None
        stored = self._files.store(image, mask)
        return PreparedRow(
            content=uploaded_content(stored), facts=row_facts, stored=stored
        )

    def _add(
        self, name: str, rows: list[Row], prepared: list[PreparedRow | SeraError]
    ) -> list[BatchRow]:
        dataset = find_dataset(self._session, name).id
        prepared = self._with_dataset_hashes(dataset, prepared)
        answers = self._answers(dataset, prepared)
        return [
            _batch_row(row, prepared_row, answer)
            for row, prepared_row, answer in zip(rows, prepared, answers, strict=True)
        ]

    def _with_dataset_hashes(
        self, dataset: UUID, prepared: list[PreparedRow | SeraError]
    ) -> list[PreparedRow | SeraError]:
        """Return the rows with the hashes under which datasets store their files."""
        rows = [row for row in prepared if isinstance(row, PreparedRow)]
        stored = [row.stored for row in rows if row.stored is not None]
        self._files.record(self._session, dataset, stored)
        contents = iter(dataset_contents(self._session, [row.content for row in rows]))
        results: list[PreparedRow | SeraError] = []
        for row in prepared:
            if isinstance(row, PreparedRow):
                results.append(replace(row, content=next(contents)))
            else:
                results.append(row)
        return results

    def _answers(
        self, dataset: UUID, prepared: list[PreparedRow | SeraError]
    ) -> list[Answer]:
        """Return the outcome of each row.

        Rows without files are only compared, because a hash alone adds nothing.
        """
        answers: dict[int, Answer] = {}
        rows_with_files: dict[int, PreparedRow] = {}
        rows_without_files: dict[int, PreparedRow] = {}
        for index, row in enumerate(prepared):
            if isinstance(row, SeraError):
                answers[index] = row
            elif row.has_files:
                rows_with_files[index] = row
            else:
                rows_without_files[index] = row
        drafts = self._session.drafts
        added = drafts.add(dataset, self._images(rows_with_files.values()))
        compared = drafts.compare(dataset, self._images(rows_without_files.values()))
        answers |= zip(rows_with_files, added, strict=True)
        answers |= zip(rows_without_files, compared, strict=True)
        return [answers[index] for index in range(len(prepared))]

    def _images(self, rows: Iterable[PreparedRow]) -> list[LabelledImage]:
        pseudonyms = self._session.pseudonyms
        return [labelled_image(row.content, row.facts, pseudonyms) for row in rows]


def read_rows(manifest: UploadFile | str) -> list[Row]:
    """Return the rows of a manifest that was sent as a text field or as a file."""
    if isinstance(manifest, str):
        text = manifest
    else:
        text = _decoded(manifest.file.read())
    rows = parse_table(text, MANIFEST)
    if not rows:
        raise ManifestInvalid(path=MANIFEST, problem="it has no rows")
    if len(rows) > MAX_ROWS:
        raise BatchTooLong(rows=len(rows), most=MAX_ROWS)
    return rows


def read_files(uploads: Iterable[UploadFile]) -> dict[str, bytes]:
    """Return the uploaded files by name. The names are never used as paths."""
    files: dict[str, bytes] = {}
    for upload in uploads:
        if upload.filename in files:
            raise FilesAmbiguous(name=upload.filename)
        files[upload.filename or ""] = upload.file.read()
    return files


def facts(row: Row) -> Facts:
    try:
        return Facts.model_validate({"malignant": row.malignant, **row.fields})
    except ValidationError as error:
        raise RowInvalid(problem=validation_summary(error.errors())) from error


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ManifestInvalid(
            path=MANIFEST, problem=INVALID_CSV_REASON.format(error.reason)
        ) from error


def _file(files: Mapping[str, bytes], name: str) -> bytes:
    if name not in files:
        raise FileMissing(name=name)
    return files[name]


def _batch_row(row: Row, prepared: PreparedRow | SeraError, answer: Answer) -> BatchRow:
    fields: dict[str, Any] = {"line": row.line, "image": row.name}
    if isinstance(prepared, PreparedRow):
        fields["image_sha256"] = prepared.content.image_sha256
    if isinstance(answer, SeraError):
        return BatchRow(**fields, outcome=REFUSED, **error_item(answer))
    return BatchRow(**fields, outcome=answer)
