"""Stores the files of labelled images. The files are cleaned and decoded first, so that training
can read them.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from shared.cases.decoder_pool import DecoderPool
from shared.cases.deidentification import Deidentifier
from shared.domain.results.findings import Finding
from shared.errors import Unavailable
from shared.imaging import Roi
from shared.imaging.deidentify import CleanedFile
from shared.ledger import SystemSession
from shared.ledger.cases.cleaned_files import CleanedFileHashes
from shared.objects import ObjectStore


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


@dataclass(frozen=True)
class CheckedFiles:
    """An image and its mask that training can read, cleaned.

    Attributes
    ----------
    pixels : (height, width) the decoded image
    findings : what the user of the data set must know about image and mask
    """

    image: CleanedFile
    mask: CleanedFile | None
    pixels: NDArray[np.uint8]
    hashes: StoredFiles
    findings: tuple[Finding, ...]


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

    def check(
        self, image: bytes, mask: bytes | None, roi: Roi | None = None
    ) -> CheckedFiles:
        """Clean and decode image and mask. Raises InputError for a bad file, RoiOutsideImage,
        DecodersBusy.
        """
        cleaned = self._deidentifier.clean(image)
        decoded = self._decoder_pool.decode(cleaned.data, frame=None, hospital_id=None)
        height, width = decoded.pixels.shape
        if roi is not None:
            roi.check_inside(width=width, height=height)
        findings = (*cleaned.findings, *decoded.findings)
        cleaned_mask = None
        mask_hashes = None
        if mask is not None:
            cleaned_mask = self._deidentifier.clean_mask(mask, width, height)
            mask_hashes = _hashes(mask, cleaned_mask)
            findings = (*findings, *cleaned_mask.findings)
        return CheckedFiles(
            image=cleaned,
            mask=cleaned_mask,
            pixels=decoded.pixels,
            hashes=StoredFiles(image=_hashes(image, cleaned), mask=mask_hashes),
            findings=unique_findings(findings),
        )

    def store(
        self, image: bytes, mask: bytes | None, roi: Roi | None = None
    ) -> CheckedFiles:
        """Check image and mask, then store the cleaned files. Raises the errors of `check`.

        The upload limit applies to the original only: a cleaned loop may be larger.
        """
        checked = self.check(image, mask, roi)
        self._objects.put(checked.image.data)
        if checked.mask is not None:
            self._objects.put(checked.mask.data)
        return checked

    def record(
        self, session: SystemSession, dataset: UUID, stored: Iterable[StoredFiles]
    ) -> None:
        """Record which files were changed by cleaning, and protect the stored files until their
        rows are added.

        Raises ErasedMeanwhile.
        """
        files = _files(stored)
        hashes = {file.stored_sha256 for file in files}
        former_orphans = session.orphaned_objects.hold(hashes)
        if not all(self._objects.exists(sha256) for sha256 in former_orphans):
            raise ErasedMeanwhile
        session.cleaned_files.record(dataset, files)


def record_unstored(
    session: SystemSession, dataset: UUID, checked: Iterable[StoredFiles]
) -> None:
    """Record which files cleaning would change, in a transaction that is undone."""
    session.cleaned_files.record(dataset, _files(checked))


def _files(pairs: Iterable[StoredFiles]) -> list[CleanedFileHashes]:
    files = []
    for pair in pairs:
        files.append(pair.image)
        if pair.mask is not None:
            files.append(pair.mask)
    return files


def _hashes(original: bytes, cleaned: CleanedFile) -> CleanedFileHashes:
    return CleanedFileHashes(
        source_sha256=hashlib.sha256(original).hexdigest(),
        stored_sha256=hashlib.sha256(cleaned.data).hexdigest(),
        removed=dict(cleaned.removed),
    )


def unique_findings(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return the last finding of each code."""
    return tuple({finding.code: finding for finding in findings}.values())


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
