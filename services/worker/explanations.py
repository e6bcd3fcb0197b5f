"""Makes the explanations that were asked for, one at a time, after the cases."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from services.worker.live import LiveModel
from services.worker.preparation import Preparation
from services.worker.shelf import Served, Shelf, SpareTaken
from shared.bundles.explanation import occlusion_png
from shared.errors import SeraError, Unavailable
from shared.ledger import House, Ledger
from shared.ledger.explanations import Wanted
from shared.objects import ObjectStore


class ExplanationMaker:
    def __init__(
        self, ledger: Ledger, objects: ObjectStore, live: LiveModel, shelf: Shelf, preparation: Preparation
    ) -> None:
        self._ledger, self._objects, self._live = ledger, objects, live
        self._shelf, self._preparation = shelf, preparation

    def make_next(self) -> None:
        """Make one explanation, if one is wanted; the transaction holds its row meanwhile."""
        with suppress(SpareTaken), self._ledger.whole("worker") as house:  # it stays on the list
            wanted = house.explanations.next()
            if wanted:
                png, reason = self._make(wanted)
                house.explanations.answer(wanted, png and self._keep(house, png), reason)

    def _keep(self, house: House, png: bytes) -> str:
        """Held while it is stored, since the same picture may have been let go of by another case's erasure."""
        house.orphans.hold([hashlib.sha256(png).hexdigest()])
        return self._objects.put(png).sha256

    def _make(self, wanted: Wanted) -> tuple[bytes | None, str | None]:
        """The PNG, or the code of why there is none."""
        try:
            with self._served(wanted.model_digest) as served:
                nodule = self._preparation.nodule(wanted.image_sha256, wanted.roi, wanted.frame, served.bundle.framing)
                return occlusion_png(served.bundle, nodule), None
        except Unavailable:
            raise
        except SeraError as error:
            return None, error.code

    @contextmanager
    def _served(self, digest: str) -> Iterator[Served]:
        """The model that gave the result: the live one, or an earlier one taken from the shelf again."""
        served = self._live.current()
        if served and served.digest == digest:
            yield served
        else:
            with self._shelf.spare_place(wait=False):
                yield self._shelf.take(digest)
