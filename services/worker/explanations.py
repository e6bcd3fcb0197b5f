"""Computes the requested explanations, one at a time. Between two slices of an explanation, waiting
cases are processed.
"""

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
        """`run_urgent_work` is called after every slice of passes through the model."""
        self._ledger = ledger
        self._objects = objects
        self._live = live
        self._bundle_cache = bundle_cache
        self._preparation = preparation
        self._run_urgent_work = run_urgent_work

    def make_next(self) -> None:
        """Compute one explanation, if a request waits that no other worker has claimed."""
        with self._ledger.system_session("worker") as session:
            request = session.explanation_queue.claim_next()
        if request is None:
            return
        try:
            with suppress(SpareSlotTaken):
                self._answer(request)
        finally:
            with (
                suppress(Unavailable),
                self._ledger.system_session("worker") as session,
            ):
                session.explanation_queue.release(request)

    def _answer(self, request: ExplanationRequest) -> None:
        try:
            nodule, explanation = self._explain(request)
        except Unavailable:
            raise
        except SeraError as error:
            with self._ledger.system_session("worker") as session:
                session.explanation_queue.finish(
                    request, png_sha256=None, reason=error.code
                )
        else:
            self._store(request, nodule, explanation)

    def _explain(self, request: ExplanationRequest) -> tuple[Nodule, Explanation]:
        with self._model_of_result(request.model_digest) as model:
            nodule = self._preparation.nodule(
                image_sha256=request.image_sha256,
                roi=request.roi,
                frame=request.frame,
                framing=model.bundle.framing,
            )
            explanation = explain(model.bundle, nodule, lambda: self._pause(request))
            return nodule, explanation

    def _pause(self, request: ExplanationRequest) -> None:
        self._run_urgent_work()
        with self._ledger.system_session("worker") as session:
            session.explanation_queue.renew(request)

    def _store(
        self, request: ExplanationRequest, nodule: Nodule, explanation: Explanation
    ) -> None:
        """Store the pictures, unless the case was erased meanwhile."""
        layer_pngs = [heat_map.layer_png(nodule) for heat_map in explanation.maps]
        with self._ledger.system_session("worker") as session:
            if not session.explanation_queue.is_pending(request):
                return
            hashes = self._store_pngs(session, [explanation.png, *layer_pngs])
            layers = []
            for sha256, heat_map in zip(hashes[1:], explanation.maps, strict=True):
                facts = _facts(heat_map, nodule)
                layers.append(ExplanationMap(heat_sha256=sha256, facts=facts))
            session.explanation_queue.finish(
                request, png_sha256=hashes[0], reason=None, maps=layers
            )

    def _store_pngs(self, session: SystemSession, pngs: list[bytes]) -> list[str]:
        """Store pictures and return their hashes.

        The hashes are protected meanwhile, because the erasure of another case may have released
        the same object.
        """
        session.orphaned_objects.hold([hashlib.sha256(png).hexdigest() for png in pngs])
        return [self._objects.put(png).sha256 for png in pngs]

    @contextmanager
    def _model_of_result(self, digest: str) -> Iterator[ServedModel]:
        """Provide the model that produced the result: the live model, or an earlier model that is
        loaded again.
        """
        live_model = self._live.refresh()
        if live_model and live_model.digest == digest:
            yield live_model
        else:
            with self._bundle_cache.reserve_spare_slot(wait=False):
                yield self._bundle_cache.load(digest)


def _facts(heat_map: HeatMap, nodule: Nodule) -> dict[str, Any]:
    """Return the facts of a map that the gateway shows."""
    height, width = nodule.pixels.shape
    frame = nodule.crop_box
    if frame:
        box = [frame.x, frame.y, frame.width, frame.height]
    else:
        box = [0, 0, width, height]
    return {
        "kind": heat_map.kind,
        "of": heat_map.subject,
        "layer": heat_map.layer,
        "strongest": heat_map.strongest,
        "box": box,
        "grid": list(heat_map.values.shape),
        "faithfulness": asdict(heat_map.faithfulness),
    }
