"""Nothing is stored before it is de-identified."""

from functools import cached_property

from shared.imaging.deidentify import Cleaned, clean, clean_mask
from shared.ledger import Ledger

ACTOR = "api"
PURPOSE = "dicom-uids"


class Deidentifier:
    """Cleans images under the installation's key, which is asked for with the first of them."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def clean(self, data: bytes) -> Cleaned:
        return clean(data, self._key)

    def clean_mask(self, data: bytes, width: int, height: int) -> Cleaned:
        return clean_mask(data, width, height, self._key)

    @cached_property
    def _key(self) -> bytes:
        """In a transaction of its own, since the first request that needs it may be undone."""
        with self._ledger.system_session(ACTOR) as session:
            return session.pseudonyms.key_for(PURPOSE)
