"""Loads bundles by digest: fetched from the object store into a local folder, then verified."""

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from shared.bundles import Bundle, BundleMissing, BundleTampered, BundleUnreadable, load
from shared.bundles.storage import fetch
from shared.domain.model_standing import UNREGISTERED, ModelStanding
from shared.engines import Engine, open_engine
from shared.errors import Unavailable
from shared.ledger import Ledger
from shared.objects import ObjectStore

SPOILED_BUNDLE_ERRORS = (BundleMissing, BundleTampered, BundleUnreadable)


class SpareSlotTaken(Unavailable):
    code = "spare-taken"
    text = (
        "The worker is loading another model at the moment. Nothing was lost; it will be done "
        "after that."
    )


@dataclass(frozen=True)
class ServedModel:
    """A loaded bundle, with the model's name, version and standing in the registry."""

    bundle: Bundle
    name: str
    version: int
    digest: str
    standing: ModelStanding = UNREGISTERED


class BundleCache:
    """Keeps bundles in a folder of this machine.

    Memory holds at most one bundle besides the live bundle: a caller that loads another bundle
    reserves the spare slot until it has finished.
    """

    def __init__(
        self,
        ledger: Ledger,
        objects: ObjectStore,
        folder: Path,
        engine: Engine | None = None,
    ) -> None:
        """`engine` runs the networks of all bundles. None selects the engine that suits this
        machine.
        """
        self._ledger = ledger
        self._objects = objects
        self._folder = folder
        self._engine = engine or open_engine()
        self._spare_slot = threading.Lock()

    @contextmanager
    def reserve_spare_slot(self, wait: bool) -> Iterator[None]:
        """Hold the slot for a bundle that does not serve.

        Raises SpareSlotTaken if the slot is taken and `wait` is False.
        """
        if not self._spare_slot.acquire(blocking=wait):
            raise SpareSlotTaken
        try:
            yield
        finally:
            self._spare_slot.release()

    def load(self, digest: str) -> ServedModel:
        """Fetch the bundle if it is not here yet, verify it, load it, warm it up, and reproduce
        its golden cases.
        """
        with self._ledger.system_session("worker") as session:
            model = session.models.find(digest)
            standing = session.models.standing(digest)
        folder = fetch(digest, self._objects, self._folder)
        try:
            bundle = load(folder, expected_digest=digest, engine=self._engine)
        except SPOILED_BUNDLE_ERRORS:
            # The next attempt fetches the bundle again.
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return ServedModel(
            bundle=bundle,
            name=model.name,
            version=model.version,
            digest=digest,
            standing=standing,
        )
