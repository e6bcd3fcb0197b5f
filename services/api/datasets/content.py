"""The pixels of a labelled image: looked at whole before they are kept, so that training meets no surprise."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from shared.cases.deidentification import Deidentifier
from shared.errors import Unavailable
from shared.imaging import decode
from shared.imaging.deidentify import CleanedFile
from shared.ledger import SystemSession
from shared.ledger.cases.cleaned_files import CleanedFileHashes
from shared.objects import ObjectStore


class ErasedMeanwhile(Unavailable):
    code = "erased-meanwhile"
    text = "An image of this request was removed at this moment, as part of an erased case. Send the request again."


@dataclass(frozen=True)
class Content:
    """What an image and its mask are known by."""

    image_sha256: str
    mask_sha256: str | None


@dataclass(frozen=True)
class StoredFiles:
    """An image and its mask as they came and as they are stored."""

    image: CleanedFileHashes
    mask: CleanedFileHashes | None


class ImageFiles:
    """Keeps the files of labelled images in the object store; no transaction is open meanwhile."""

    def __init__(self, objects: ObjectStore, deidentifier: Deidentifier) -> None:
        self._objects = objects
        self._deidentifier = deidentifier

    def store(self, image: bytes, mask: bytes | None) -> StoredFiles:
        """Clean and decode both, then store what is clean; raises what is wrong with them."""
        cleaned = self._deidentifier.clean(image)
        height, width = decode(cleaned.data).pixels.shape
        if mask is None:
            return StoredFiles(image=self._store(image, cleaned), mask=None)
        cleaned_mask = self._deidentifier.clean_mask(mask, width, height)
        return StoredFiles(
            image=self._store(image, cleaned), mask=self._store(mask, cleaned_mask)
        )

    def record(
        self, session: SystemSession, dataset: UUID, kept: Iterable[StoredFiles]
    ) -> None:
        """Remember which files were changed by cleaning, and hold what was stored for the rows to come.

        Raises ErasedMeanwhile.
        """
        files = [file for pair in kept for file in (pair.image, pair.mask) if file]
        let_go = session.orphaned_objects.hold({file.stored_sha256 for file in files})
        if not all(self._objects.exists(sha256) for sha256 in let_go):
            raise ErasedMeanwhile
        session.cleaned_files.record(dataset, files)

    def _store(self, original: bytes, cleaned: CleanedFile) -> CleanedFileHashes:
        """An original above the cap is refused by the receive path; a cleaned loop may be larger."""
        source = hashlib.sha256(original).hexdigest()
        stored = self._objects.put(cleaned.data)
        return CleanedFileHashes(
            source_sha256=source,
            stored_sha256=stored.sha256,
            removed=dict(cleaned.removed),
        )


def dataset_contents(session: SystemSession, told: Sequence[Content]) -> list[Content]:
    """What files go by in datasets, of the hashes they came under."""
    hashes = {
        each
        for content in told
        for each in (content.image_sha256, content.mask_sha256)
        if each
    }
    names = session.cleaned_files.dataset_hashes(hashes)
    return [
        Content(names[each.image_sha256], names.get(each.mask_sha256 or ""))
        for each in told
    ]


def uploaded_content(kept: StoredFiles) -> Content:
    return Content(
        image_sha256=kept.image.source_sha256,
        mask_sha256=kept.mask.source_sha256 if kept.mask else None,
    )
