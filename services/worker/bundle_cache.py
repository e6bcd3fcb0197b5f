"""Bundles by digest: from the object store to a local folder, verified, loaded."""

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from shared.bundles import Bundle, BundleMissing, BundleTampered, BundleUnreadable, load
from shared.bundles.storage import fetch
from shared.engines import Engine, open_engine
from shared.errors import Unavailable
from shared.ledger import Ledger
from shared.objects import ObjectStore

SPOILED_BUNDLE_ERRORS = (BundleMissing, BundleTampered, BundleUnreadable)


class SpareSlotTaken(Unavailable):
    code = "spare-taken"
    text = "The worker is loading another model at the moment. Nothing was lost; it will be done after that."


@dataclass(frozen=True)
class ServedModel:
    """A loaded bundle with the version it goes by."""

    bundle: Bundle
    name: str
    version: int
    digest: str


class BundleCache:
    """Takes bundles from a folder of this machine, which it fills. In memory there is one besides the live one at most:
    who loads another holds the spare place meanwhile.
    """

    def __init__(
        self,
        ledger: Ledger,
        objects: ObjectStore,
        folder: Path,
        engine: Engine | None = None,
    ) -> None:
        """`engine` runs the networks of all bundles; None for the one that suits this machine."""
        self._ledger = ledger
        self._objects = objects
        self._folder = folder
        self._engine = engine or open_engine()
        self._spare = threading.Lock()

    @contextmanager
    def reserve_spare_slot(self, wait: bool) -> Iterator[None]:
        """Held by whoever has a bundle in memory that does not serve; raises SpareTaken where it may not wait."""
        if not self._spare.acquire(blocking=wait):
            raise SpareSlotTaken
        try:
            yield
        finally:
            self._spare.release()

    def load(self, digest: str) -> ServedModel:
        """Fetch what is not here yet, verify, load, warm up, reproduce the golden cases."""
        with self._ledger.system_session("worker") as session:
            model = session.models.find(digest)
        folder = fetch(digest, self._objects, self._folder)
        try:
            bundle = load(folder, expected_digest=digest, engine=self._engine)
            return ServedModel(bundle, model.name, model.version, digest)
        except SPOILED_BUNDLE_ERRORS:
            shutil.rmtree(
                folder, ignore_errors=True
            )  # so that the next attempt fetches it anew
            raise
