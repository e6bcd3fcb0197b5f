"""Bundles by digest: from the object store to a local folder, verified, loaded."""

from dataclasses import dataclass
from pathlib import Path

from shared.bundles import Bundle, load
from shared.bundles.depot import fetch
from shared.ledger import Ledger
from shared.objects import ObjectStore


@dataclass(frozen=True)
class Served:
    """A loaded bundle with the version it goes by."""

    bundle: Bundle
    name: str
    version: int
    digest: str


class Shelf:
    def __init__(self, ledger: Ledger, objects: ObjectStore, folder: Path) -> None:
        self._ledger, self._objects, self._folder = ledger, objects, folder

    def take(self, digest: str) -> Served:
        """Fetch what is not here yet, verify, load, warm up, reproduce the golden cases."""
        with self._ledger.whole("worker") as house:
            model = house.models.find(digest)
        bundle = load(fetch(digest, self._objects, self._folder), expected_digest=digest)
        return Served(bundle, model.name, model.version, digest)
