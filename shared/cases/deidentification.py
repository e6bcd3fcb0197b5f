"""De-identifies images before they are stored."""

from collections.abc import Sequence
from functools import cached_property, partial
from uuid import UUID

from shared.cases.decoder_pool import DecoderPool
from shared.imaging import Box
from shared.imaging.deidentify import CleanedFile
from shared.imaging.sandbox.bounds import Bounds
from shared.imaging.sandbox.pool import SandboxPool
from shared.ledger import Ledger

ACTOR = "api"
PURPOSE = "dicom-uids"
DECODER_BOUNDS = Bounds(seconds=60.0, memory_mib=1728)
"""2 GiB together with the 300 MiB of address space of the process itself."""
PROCESS_COUNT = 2
"""Files that are decoded for cleaning at the same time; further files wait."""


class Deidentifier:
    """Cleans images with the installation's key, which is loaded for the first image.

    A file that has to be decoded for cleaning is cleaned in a separate process. It takes one of the
    places of the decoder pool meanwhile, so that hospitals have their turns in this, too.
    `hospital_id` is None for images of no hospital. Each method raises DecodersBusy.
    """

    def __init__(self, ledger: Ledger, decoder_pool: DecoderPool) -> None:
        self._ledger = ledger
        self._decoder_pool = decoder_pool
        self._sandbox = SandboxPool(DECODER_BOUNDS, PROCESS_COUNT)

    def clean(self, data: bytes, hospital_id: UUID | None = None) -> CleanedFile:
        place = partial(self._decoder_pool.place, hospital_id)
        return self._sandbox.clean(data, self._key, place=place)

    def clean_and_paint(
        self,
        data: bytes,
        hospital_id: UUID,
        *,
        blanks_text: bool = True,
        covers: Sequence[Box] = (),
    ) -> CleanedFile:
        """Clean an image, and blacken the text beside its tissue and the `covers`.

        Also raises CoversInvalid, CoverFailed.
        """
        with self._decoder_pool.place(hospital_id):
            return self._sandbox.clean_and_paint(
                data, self._key, blanks_text=blanks_text, covers=covers
            )

    def clean_mask(self, data: bytes, width: int, height: int) -> CleanedFile:
        """Clean a mask in a process of the decoder pool, which does not end after it."""
        return self._decoder_pool.clean_mask(data, width, height)

    def close(self) -> None:
        self._sandbox.close()

    @cached_property
    def _key(self) -> bytes:
        """Loaded in a separate transaction, because the first request may be rolled back."""
        with self._ledger.system_session(ACTOR) as session:
            return session.pseudonyms.derive_key(PURPOSE)
