"""Makes the explanations that were asked for, one at a time, in slices that let the cases go first."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from typing import Any

from services.worker.bundle_cache import BundleCache, ServedModel, SpareSlotTaken
from services.worker.inference.preparation import Preparation
from services.worker.live_model import LiveModel
from shared.bundles.explanations.explanation import Explanation, HeatMap, explain
from shared.bundles.explanations.occlusion import no_pause
from shared.errors import SeraError, Unavailable
from shared.imaging import Nodule
from shared.ledger import Ledger, SystemSession
from shared.ledger.cases.explanations import ExplanationMap, ExplanationRequest
from shared.objects import ObjectStore


class ExplanationService:
    def __init__(
        self,
        ledger: Ledger,
        objects: ObjectStore,
        live: LiveModel,
        bundle_cache: BundleCache,
        preparation: Preparation,
        run_urgent_work: Callable[[], None] = no_pause,
    ) -> None:
        """`between` is called after every slice of passes, and does what is more urgent."""
        self._ledger = ledger
        self._objects = objects
        self._live = live
        self._shelf = bundle_cache
        self._preparation = preparation
        self._between = run_urgent_work

    def make_next(self) -> None:
        """Make one explanation, if one is wanted that no other worker is at."""
        with self._ledger.system_session("worker") as session:
            wanted = session.explanation_queue.claim_next()
        if wanted is None:
            return
        try:
            with suppress(SpareSlotTaken):
                self._answer(wanted)
        finally:
            with (
                suppress(Unavailable),
                self._ledger.system_session("worker") as session,
            ):
                session.explanation_queue.release(wanted)

    def _answer(self, wanted: ExplanationRequest) -> None:
        try:
            nodule, made = self._make(wanted)
        except Unavailable:
            raise
        except SeraError as error:
            with self._ledger.system_session("worker") as session:
                session.explanation_queue.finish(wanted, None, error.code)
        else:
            self._keep(wanted, nodule, made)

    def _make(self, wanted: ExplanationRequest) -> tuple[Nodule, Explanation]:
        with self._served(wanted.model_digest) as served:
            nodule = self._preparation.nodule(
                wanted.image_sha256, wanted.roi, wanted.frame, served.bundle.framing
            )
            return nodule, explain(served.bundle, nodule, lambda: self._pause(wanted))

    def _pause(self, wanted: ExplanationRequest) -> None:
        self._between()
        with self._ledger.system_session("worker") as session:
            session.explanation_queue.renew(wanted)

    def _keep(self, wanted: ExplanationRequest, nodule: Nodule, made: Explanation) -> None:
        """Nothing, where the case was erased meanwhile."""
        pictures = [made.png, *(each.layer_png(nodule) for each in made.maps)]
        with self._ledger.system_session("worker") as session:
            if session.explanation_queue.is_pending(wanted):
                png, *heats = self._stored(session, pictures)
                layers = [
                    ExplanationMap(heat, _facts(each, nodule))
                    for heat, each in zip(heats, made.maps, strict=True)
                ]
                session.explanation_queue.finish(wanted, png, None, layers)

    def _stored(self, session: SystemSession, pictures: list[bytes]) -> list[str]:
        """Held while they are stored, since the same may have been let go of by another case's erasure."""
        session.orphaned_objects.hold([hashlib.sha256(each).hexdigest() for each in pictures])
        return [self._objects.put(each).sha256 for each in pictures]

    @contextmanager
    def _served(self, digest: str) -> Iterator[ServedModel]:
        """The model that gave the result: the live one, or an earlier one taken from the shelf again."""
        served = self._live.refresh()
        if served and served.digest == digest:
            yield served
        else:
            with self._shelf.reserve_spare_slot(wait=False):
                yield self._shelf.load(digest)


def _facts(found: HeatMap, nodule: Nodule) -> dict[str, Any]:
    """What the gateway tells of a map."""
    height, width = nodule.pixels.shape
    frame = nodule.frame
    box = (
        [frame.x, frame.y, frame.width, frame.height]
        if frame
        else [0, 0, width, height]
    )
    named = {
        "kind": found.kind,
        "of": found.subject,
        "layer": found.layer,
        "strongest": found.strongest,
    }
    return {
        **named,
        "box": box,
        "grid": list(found.values.shape),
        "faithfulness": asdict(found.faithfulness),
    }
