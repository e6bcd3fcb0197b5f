"""De-identifies images before they are stored."""

from functools import cached_property

from shared.imaging.deidentify import CleanedFile, clean_mask
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

    A file that has to be decoded for cleaning is cleaned in a separate process.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._sandbox = SandboxPool(DECODER_BOUNDS, PROCESS_COUNT)

    def clean(self, data: bytes) -> CleanedFile:
        return self._sandbox.clean(data, self._key)

    def clean_and_blank_text(self, data: bytes) -> CleanedFile:
        """Clean an image, and paint over the text beside its tissue."""
        return self._sandbox.clean_and_blank_text(data, self._key)

    def clean_mask(self, data: bytes, width: int, height: int) -> CleanedFile:
        return clean_mask(data, width, height)

    def close(self) -> None:
        self._sandbox.close()

    @cached_property
    def _key(self) -> bytes:
        """Loaded in a separate transaction, because the first request may be rolled back."""
        with self._ledger.system_session(ACTOR) as session:
            return session.pseudonyms.derive_key(PURPOSE)
