"""Adds many labelled images in one request. A refused row does not stop the other rows."""

import re
import unicodedata
from base64 import b64encode
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any
from uuid import UUID

import cv2
import numpy as np
from fastapi import UploadFile
from numpy.typing import NDArray
from pydantic import ValidationError

from services.api.datasets.content import (
    Content,
    ImageFiles,
    StoredFiles,
    dataset_contents,
    record_unstored,
    uploaded_content,
)
from services.api.datasets.schemas import (
    BatchReport,
    BatchRow,
    BatchTrial,
    Facts,
    Thumbnail,
    batch_report,
)
from services.api.datasets.service import (
    check_name,
    facts_roi,
    find_dataset,
    labelled_image,
)
from services.api.errors import error_item, validation_summary
from services.api.table_uploads import MAX_TABLE_ROWS, table_source
from shared.domain.datasets.manifest import (
    UNICODE_FORMS,
    Manifest,
    ManifestInvalid,
    RefusedRow,
    Row,
    RowInvalid,
    parse_manifest,
)
from shared.domain.datasets.table_text import TableFault
from shared.domain.messages import Message
from shared.domain.results.findings import Finding
from shared.errors import InputError, SeraError
from shared.imaging import Roi
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
MAX_THUMBNAILS = 12
THUMBNAIL_PX = 160
"""The longer side of a thumbnail."""
Answer = AddStatus | SeraError
TableRow = Row | RefusedRow


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


@dataclass(frozen=True)
class PreparedRow:
    """A row whose facts are checked, and whose files are stored if they were sent.

    A trial run checks the files only, and makes a `thumbnail` of the first images.
    """

    content: Content
    """The hashes of the files as they were sent."""
    facts: Facts
    stored: StoredFiles | None = None
    thumbnail: str | None = None
    findings: tuple[Finding, ...] = ()

    @property
    def has_files(self) -> bool:
        return self.stored is not None


class FilesByName:
    """The uploaded files by name. The names are never used as paths.

    A name is looked for as it is written, then in the other Unicode form (NFC, NFD).
    """

    def __init__(self, uploads: Iterable[UploadFile]) -> None:
        self._files: dict[str, bytes] = {}
        for upload in uploads:
            if upload.filename in self._files:
                raise FilesAmbiguous(name=upload.filename)
            self._files[upload.filename or ""] = upload.file.read()

    def __contains__(self, name: str) -> bool:
        return name in self._files

    def read(self, name: str) -> bytes:
        """Raises FileMissing, FilesAmbiguous."""
        if name in self._files:
            return self._files[name]
        forms = {unicodedata.normalize(form, name) for form in UNICODE_FORMS}
        present = sorted(forms & self._files.keys())
        if not present:
            raise FileMissing(name=name)
        if len(present) > 1:
            raise FilesAmbiguous(name=name)
        return self._files[present[0]]


class FirstLines:
    """Says which lines may be among the first ones, while threads finish in any order."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lines: list[int] = []
        self._lock = Lock()

    def claim(self, line: int) -> bool:
        """Return whether fewer than `most` earlier lines were claimed before; claim it if so."""
        with self._lock:
            earlier = sum(claimed < line for claimed in self._lines)
            if earlier >= self._most:
                return False
            self._lines.append(line)
            return True


Prepare = Callable[[Row, FilesByName], PreparedRow]


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
        self._first_lines = FirstLines(MAX_THUMBNAILS)

    def add_rows(
        self, name: str, manifest: UploadFile | str, uploads: Iterable[UploadFile]
    ) -> BatchReport:
        """Add the manifest's rows to the dataset, and report the outcome of each."""
        rows = read_rows(manifest)
        find_dataset(self._session, name)
        prepared = self._prepare_all(rows, uploads, self._prepare)
        return batch_report(self._add(name, rows, prepared))

    def try_rows(
        self, name: str, manifest: UploadFile | str, uploads: Iterable[UploadFile]
    ) -> BatchTrial:
        """Do what `add_rows` does up to the write, and report what it would answer.

        A dataset that does not exist counts as an empty one.
        """
        rows = read_rows(manifest)
        check_name(name)
        prepared = self._prepare_all(rows, uploads, self._check)
        with self._session.undone():
            self._session.datasets.ensure(name)
            report = batch_report(self._add(name, rows, prepared, is_trial=True))
        return BatchTrial(**dict(report), thumbnails=_thumbnails(rows, prepared))

    def _prepare_all(
        self,
        rows: Sequence[TableRow],
        uploads: Iterable[UploadFile],
        prepare: Prepare,
    ) -> list[PreparedRow | SeraError]:
        """Prepare the rows in threads, while no transaction is open."""
        self._session.transaction.commit()
        files = FilesByName(uploads)
        with ThreadPoolExecutor(STORE_THREADS) as pool:
            prepared = list(
                pool.map(lambda row: self._try_prepare(row, files, prepare), rows)
            )
        if self._idempotent is not None:
            self._idempotent.reserve()
        return prepared

    def _try_prepare(
        self, row: TableRow, files: FilesByName, prepare: Prepare
    ) -> PreparedRow | SeraError:
        """Return the prepared row, or the error of a refused row. An error that a retry may cure is
        raised.
        """
        if isinstance(row, RefusedRow):
            return row.error
        try:
            return prepare(row, files)
        except SeraError as error:
            if error.retryable:
                raise
            return error

    def _prepare(self, row: Row, files: FilesByName) -> PreparedRow:
        if not row.name:
            raise RowUnnamed
        row_facts = facts(row)
        if is_hash_only(row, files):
            return _known_row(row, row_facts)
        stored = self._files.store(*row_files(row, files), facts_roi(row_facts))
        return PreparedRow(
            content=uploaded_content(stored.hashes),
            facts=row_facts,
            stored=stored.hashes,
            findings=stored.findings,
        )

    def _check(self, row: Row, files: FilesByName) -> PreparedRow:
        if not row.name:
            raise RowUnnamed
        row_facts = facts(row)
        if is_hash_only(row, files):
            return _known_row(row, row_facts)
        checked = self._files.check(*row_files(row, files), facts_roi(row_facts))
        thumbnail = None
        if self._first_lines.claim(row.line):
            thumbnail = thumbnail_base64(checked.pixels)
        return PreparedRow(
            content=uploaded_content(checked.hashes),
            facts=row_facts,
            stored=checked.hashes,
            thumbnail=thumbnail,
            findings=checked.findings,
        )

    def _add(
        self,
        name: str,
        rows: Sequence[TableRow],
        prepared: list[PreparedRow | SeraError],
        *,
        is_trial: bool = False,
    ) -> list[BatchRow]:
        dataset = find_dataset(self._session, name).id
        prepared = self._with_dataset_hashes(dataset, prepared, is_trial=is_trial)
        answers = self._answers(dataset, prepared)
        return [
            _batch_row(row, prepared_row, answer)
            for row, prepared_row, answer in zip(rows, prepared, answers, strict=True)
        ]

    def _with_dataset_hashes(
        self,
        dataset: UUID,
        prepared: list[PreparedRow | SeraError],
        *,
        is_trial: bool,
    ) -> list[PreparedRow | SeraError]:
        """Return the rows with the hashes under which datasets store their files."""
        rows = [row for row in prepared if isinstance(row, PreparedRow)]
        stored = [row.stored for row in rows if row.stored is not None]
        if is_trial:
            record_unstored(self._session, dataset, stored)
        else:
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


def read_table(manifest: UploadFile | str) -> Manifest:
    """Return a manifest that was sent as a text field or as a file."""
    try:
        source = table_source(manifest)
    except TableFault as fault:
        raise ManifestInvalid(path=MANIFEST, problem=fault.problem) from fault
    table = parse_manifest(source, source_name=MANIFEST, max_rows=MAX_TABLE_ROWS)
    if not table.row_count:
        raise ManifestInvalid(path=MANIFEST, problem=Message("table-no-rows"))
    return table


def read_rows(manifest: UploadFile | str) -> list[TableRow]:
    """Return the rows of a batch in the order of its lines, the refused ones among them."""
    table = read_table(manifest)
    if table.row_count > MAX_ROWS:
        raise BatchTooLong(rows=table.row_count, most=MAX_ROWS)
    return sorted((*table.rows, *table.refused), key=lambda row: row.line)


def is_hash_only(row: Row, files: FilesByName) -> bool:
    """Whether a row names its image by its hash, because the dataset has the file."""
    return row.name not in files and HASH.fullmatch(row.name) is not None


def row_files(row: Row, files: FilesByName) -> tuple[bytes, bytes | None]:
    """Return the image and the mask of a row."""
    mask = files.read(row.mask_name) if row.mask_name else None
    return files.read(row.name), mask


def facts(row: Row) -> Facts:
    """Raises RowInvalid, RoiInvalid, RoiTooSmall."""
    if row.malignant is None:
        raise RowInvalid(problem=Message("row-unlabelled"))
    fields: dict[str, Any] = {"malignant": row.malignant, **row.fields}
    if "roi" in row.fields:
        fields["roi"] = Roi.parse(row.fields["roi"]).to_fields()
    try:
        return Facts.model_validate(fields)
    except ValidationError as error:
        raise RowInvalid(problem=validation_summary(error.errors())) from error


def _known_row(row: Row, row_facts: Facts) -> PreparedRow:
    content = Content(image_sha256=row.name, mask_sha256=row.mask_name or None)
    return PreparedRow(content=content, facts=row_facts)


def _thumbnails(
    rows: Sequence[TableRow], prepared: Sequence[PreparedRow | SeraError]
) -> list[Thumbnail]:
    """Small pictures of the first images that can be read."""
    thumbnails = []
    for row, item in zip(rows, prepared, strict=True):
        if isinstance(item, PreparedRow) and item.thumbnail is not None:
            thumbnails.append(
                Thumbnail(line=row.line, image=row.name, base64=item.thumbnail)
            )
    return thumbnails[:MAX_THUMBNAILS]


def thumbnail_base64(pixels: NDArray[np.uint8]) -> str:
    """A PNG of at most THUMBNAIL_PX on its longer side, in base64."""
    height, width = pixels.shape
    scale = min(THUMBNAIL_PX / max(height, width), 1.0)
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return b64encode(cv2.imencode(".png", small)[1].tobytes()).decode()


def _batch_row(
    row: TableRow, prepared: PreparedRow | SeraError, answer: Answer
) -> BatchRow:
    fields: dict[str, Any] = {"line": row.line, "image": row.name}
    if isinstance(prepared, PreparedRow):
        fields["image_sha256"] = prepared.content.image_sha256
        fields["warnings"] = list(prepared.findings)
    if isinstance(answer, SeraError):
        return BatchRow(**fields, outcome=REFUSED, **error_item(answer))
    return BatchRow(**fields, outcome=answer)
