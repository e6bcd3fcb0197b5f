"""Cleans and stores images: those of cases and those of kept previews in the same way."""

from collections.abc import Sequence
from io import BytesIO
from uuid import UUID

from shared.cases.decoder_pool import DecoderPool
from shared.cases.deidentification import Deidentifier
from shared.domain.burnt_in_text import TextPolicy
from shared.imaging import Box, Header, ImageFormat, inspect
from shared.imaging.deidentify import CleanedFile
from shared.imaging.sandbox.checked import CheckedImage
from shared.ledger import HospitalSession
from shared.ledger.cases.stored_image import StoredImage
from shared.objects import ObjectStore


class ImageIntake:
    def __init__(
        self,
        objects: ObjectStore,
        deidentifier: Deidentifier,
        decoder_pool: DecoderPool,
    ) -> None:
        self._objects = objects
        self._deidentifier = deidentifier
        self._decoder_pool = decoder_pool

    def clean(
        self,
        *,
        header: Header,
        original: bytes,
        frame: int | None,
        hospital_id: UUID,
        text_policy: TextPolicy,
        covers: Sequence[Box] = (),
    ) -> CleanedFile:
        """Clean an image, and check that its frame can be read.

        The original image is discarded after the request. The sender's `covers` are blackened in
        every frame. Text beside the tissue is painted over if the hospital wishes it; a loop is
        always searched, because each frame may have its own. Raises InputError, DecodersBusy,
        Unavailable.
        """
        cleaned = self._deidentifier.clean(original, hospital_id)
        blanks_text = text_policy is TextPolicy.BLANK
        checked = self._check_readable(
            cleaned, frame, hospital_id, find_text=blanks_text
        )
        is_loop = header.format is ImageFormat.DICOM and header.frames > 1
        finds_text = blanks_text and (checked.has_text_beside_tissue or is_loop)
        if finds_text or covers:
            cleaned = self._deidentifier.clean_and_paint(
                original, hospital_id, blanks_text=finds_text, covers=covers
            )
            self._check_readable(cleaned, frame, hospital_id, find_text=False)
        return cleaned

    def store(self, header: Header, cleaned: CleanedFile) -> StoredImage:
        """Store a cleaned image. Its format may be another one than the original's."""
        stored = self._objects.put(cleaned.data, overwrite=True)
        return StoredImage(
            image_sha256=stored.sha256,
            image_bytes=len(cleaned.data),
            image_format=inspect(BytesIO(cleaned.data)).format,
            width=header.width,
            height=header.height,
            device=header.device,
            removed=dict(cleaned.removed),
            findings=[finding.to_json() for finding in cleaned.findings],
        )

    def hold(
        self, session: HospitalSession, image: StoredImage, cleaned: CleanedFile
    ) -> None:
        """Protect a stored image from removal until the transaction ends, which refers to it."""
        if session.orphaned_objects.hold([image.image_sha256]):
            # An erasure may have removed the object in the meantime.
            self._objects.put(cleaned.data)

    def hold_kept(self, session: HospitalSession, image: StoredImage) -> bool:
        """Protect the image of a kept preview likewise; False if it was removed meanwhile."""
        if not session.orphaned_objects.hold([image.image_sha256]):
            return True
        return self._objects.exists(image.image_sha256)

    def _check_readable(
        self,
        cleaned: CleanedFile,
        frame: int | None,
        hospital_id: UUID,
        find_text: bool,
    ) -> CheckedImage:
        return self._decoder_pool.check(
            cleaned.data,
            frame=frame,
            hospital_id=hospital_id,
            find_text=find_text,
        )
