"""Stores the files of labelled images. The files are cleaned and decoded first, so that training
can read them.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from shared.cases.decoder_pool import DecoderPool
from shared.cases.deidentification import Deidentifier
from shared.errors import Unavailable
from shared.imaging.deidentify import CleanedFile
from shared.ledger import SystemSession
from shared.ledger.cases.cleaned_files import CleanedFileHashes
from shared.objects import ObjectStore

DECODER_WAIT_S = 60.0
"""How long an image of a batch waits for a decoder: a batch is in no hurry."""


class ErasedMeanwhile(Unavailable):
    code = "erased-meanwhile"
    text = (
        "An image of this request was removed at this moment, as part of an erased case. Send "
        "the request again."
    )


@dataclass(frozen=True)
class Content:
    """The hashes of an image and its mask."""

    image_sha256: str
    mask_sha256: str | None


@dataclass(frozen=True)
class StoredFiles:
    """An image and its mask, each with the hash of the uploaded and of the stored file."""

    image: CleanedFileHashes
    mask: CleanedFileHashes | None


class ImageFiles:
    """Stores files of labelled images in the object store while no transaction is open."""

    def __init__(
        self,
        objects: ObjectStore,
        deidentifier: Deidentifier,
        decoder_pool: DecoderPool,
    ) -> None:
        self._objects = objects
        self._deidentifier = deidentifier
        self._decoder_pool = decoder_pool

    def store(self, image: bytes, mask: bytes | None) -> StoredFiles:
        """Clean and decode image and mask, then store the cleaned files. Raises InputError for a
        bad file, DecodersBusy.
        """
        cleaned = self._deidentifier.clean(image)
        checked = self._decoder_pool.check(
            cleaned.data, frame=None, hospital_id=None, wait_s=DECODER_WAIT_S
        )
        if mask is None:
            return StoredFiles(image=self._store_cleaned(image, cleaned), mask=None)
        cleaned_mask = self._deidentifier.clean_mask(
            mask, width=checked.width, height=checked.height
        )
        return StoredFiles(
            image=self._store_cleaned(image, cleaned),
            mask=self._store_cleaned(mask, cleaned_mask),
        )

    def record(
        self, session: SystemSession, dataset: UUID, stored: Iterable[StoredFiles]
    ) -> None:
        """Record which files were changed by cleaning, and protect the stored files until their
        rows are added.

        Raises ErasedMeanwhile.
        """
        files = []
        for pair in stored:
            files.append(pair.image)
            if pair.mask is not None:
                files.append(pair.mask)
        hashes = {file.stored_sha256 for file in files}
        former_orphans = session.orphaned_objects.hold(hashes)
        if not all(self._objects.exists(sha256) for sha256 in former_orphans):
            raise ErasedMeanwhile
        session.cleaned_files.record(dataset, files)

    def _store_cleaned(
        self, original: bytes, cleaned: CleanedFile
    ) -> CleanedFileHashes:
        """Store a cleaned file. The upload limit applies to the original only: a cleaned loop may
        be larger.
        """
        source = hashlib.sha256(original).hexdigest()
        stored = self._objects.put(cleaned.data)
        return CleanedFileHashes(
            source_sha256=source,
            stored_sha256=stored.sha256,
            removed=dict(cleaned.removed),
        )


def dataset_contents(
    session: SystemSession, uploaded: Sequence[Content]
) -> list[Content]:
    """Convert the hashes of uploaded files to the hashes under which datasets store these files."""
    hashes = set()
    for content in uploaded:
        hashes.add(content.image_sha256)
        if content.mask_sha256:
            hashes.add(content.mask_sha256)
    dataset_hashes = session.cleaned_files.dataset_hashes(hashes)
    return [
        Content(
            image_sha256=dataset_hashes[content.image_sha256],
            mask_sha256=dataset_hashes.get(content.mask_sha256 or ""),
        )
        for content in uploaded
    ]


def uploaded_content(stored: StoredFiles) -> Content:
    """Return the hashes of the files as they were uploaded."""
    return Content(
        image_sha256=stored.image.source_sha256,
        mask_sha256=stored.mask.source_sha256 if stored.mask else None,
    )
