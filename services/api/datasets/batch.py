"""Many labelled images in one request, each row on its own: a bad one never keeps the others out."""

import re
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from fastapi import UploadFile
from pydantic import ValidationError

from services.api.datasets.content import Content, ImageFiles, StoredFiles, uploaded_content, dataset_contents
from services.api.datasets.schemas import BatchReport, BatchRow, Facts, batch_report
from services.api.datasets.service import find_dataset, labelled_image
from services.api.errors import error_item, validation_summary
from shared.domain.datasets.manifest import NO_CSV, ManifestInvalid, Row, parse_table
from shared.errors import InputError, SeraError
from shared.ledger import SystemSession
from shared.ledger.datasets.drafts import AddStatus
from shared.ledger.idempotency.requests import IdempotentRequest

STORE_THREADS = 8
"""Files stored at once: each waits for the disk."""
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
    text = "No file named {name!r} came with the batch. Send it under the very name that the manifest gives it."


class RowUnnamed(InputError):
    code = "row-unnamed"
    text = "The row names no image. Fill in its column `image`."


class RowInvalid(InputError):
    code = "row-invalid"
    text = "The row cannot be used: {problem}. Correct it and send it again."


@dataclass(frozen=True)
class PreparedRow:
    """A row whose facts are checked, and whose files are kept if they came along."""

    content: Content
    """By the hashes that the files came under."""
    facts: Facts
    kept: StoredFiles | None = None

    @property
    def came(self) -> bool:
        return self.kept is not None


class BatchService:
    """The transaction that adds the rows begins when their files are stored."""

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
        """Add the manifest's rows to the dataset; what became of each."""
        rows = read_rows(manifest)
        find_dataset(self._session, name)
        self._session.transaction.commit()
        files = read_files(uploads)
        with ThreadPoolExecutor(STORE_THREADS) as pool:
            prepared = list(pool.map(lambda row: self._prepared(row, files), rows))
        if self._idempotent is not None:
            self._idempotent.reserve()
        return batch_report(self._offered(name, rows, prepared))

    def _prepared(self, row: Row, files: Mapping[str, bytes]) -> PreparedRow | SeraError:
        try:
            return self._prepare(row, files)
        except SeraError as error:
            if error.retryable:
                raise
            return error

    def _prepare(self, row: Row, files: Mapping[str, bytes]) -> PreparedRow:
        if not row.name:
            raise RowUnnamed
        told = facts(row)
        if row.name not in files and HASH.fullmatch(row.name):
            return PreparedRow(Content(row.name, row.mask_name or None), told)
        mask = _file(files, row.mask_name) if row.mask_name else None
        kept = self._files.store(_file(files, row.name), mask)
        return PreparedRow(uploaded_content(kept), told, kept)

    def _offered(
        self, name: str, rows: list[Row], prepared: list[PreparedRow | SeraError]
    ) -> list[BatchRow]:
        dataset = find_dataset(self._session, name).id
        prepared = self._settled(dataset, prepared)
        answers = self._answers(dataset, prepared)
        return [
            _told(row, each, answer)
            for row, each, answer in zip(rows, prepared, answers, strict=True)
        ]

    def _settled(
        self, dataset: UUID, prepared: list[PreparedRow | SeraError]
    ) -> list[PreparedRow | SeraError]:
        """Rows by the hashes that their files go by in datasets."""
        rows = [each for each in prepared if isinstance(each, PreparedRow)]
        kept = [row.kept for row in rows if row.kept]
        self._files.record(self._session, dataset, kept)
        contents = iter(dataset_contents(self._session, [row.content for row in rows]))
        return [
            replace(each, content=next(contents))
            if isinstance(each, PreparedRow)
            else each
            for each in prepared
        ]

    def _answers(
        self, dataset: UUID, prepared: list[PreparedRow | SeraError]
    ) -> list[Answer]:
        """Rows without files are only compared: a hash alone brings nothing in."""
        answers: dict[int, Answer] = {
            at: each for at, each in enumerate(prepared) if isinstance(each, SeraError)
        }
        drafts = self._session.drafts
        pseudonyms = self._session.pseudonyms
        for came, receive in ((True, drafts.add), (False, drafts.compare)):
            these = {
                at: each
                for at, each in enumerate(prepared)
                if isinstance(each, PreparedRow) and each.came is came
            }
            images = [
                labelled_image(row.content, row.facts, pseudonyms) for row in these.values()
            ]
            answers |= zip(these, receive(dataset, images), strict=True)
        return [answers[at] for at in range(len(prepared))]


def read_rows(manifest: UploadFile | str) -> list[Row]:
    """The manifest came as a field of text or as a file."""
    rows = parse_table(
        manifest if isinstance(manifest, str) else _decoded(manifest.file.read()),
        MANIFEST,
    )
    if not rows:
        raise ManifestInvalid(path=MANIFEST, problem="it has no rows")
    if len(rows) > MAX_ROWS:
        raise BatchTooLong(rows=len(rows), most=MAX_ROWS)
    return rows


def read_files(uploads: Iterable[UploadFile]) -> dict[str, bytes]:
    """By the names they came under, which are names only and never paths."""
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
            path=MANIFEST, problem=NO_CSV.format(error.reason)
        ) from error


def _file(files: Mapping[str, bytes], name: str) -> bytes:
    if name not in files:
        raise FileMissing(name=name)
    return files[name]


def _told(row: Row, prepared: PreparedRow | SeraError, answer: Answer) -> BatchRow:
    line: dict[str, Any] = {"line": row.line, "image": row.name}
    if isinstance(prepared, PreparedRow):
        line["image_sha256"] = prepared.content.image_sha256
    if isinstance(answer, SeraError):
        return BatchRow(**line, outcome=REFUSED, **error_item(answer))
    return BatchRow(**line, outcome=answer)
