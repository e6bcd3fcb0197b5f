"""The interactive lane: outlines of previews that people wait for, drawn before routine cases and
between batches, one at a time.
"""

import time
from collections.abc import Callable

from services.worker import metrics
from services.worker.bundle_cache import ServedModel
from services.worker.live_model import LiveModel
from shared.domain.jobs import Reason
from shared.errors import SeraError, Unavailable
from shared.imaging import FoundOutlines, ProposedRoi, find_outlines, parse_prompt
from shared.imaging.sandbox.pool import SandboxPool
from shared.ledger import Ledger
from shared.ledger.previews.outline_queue import (
    NO_LIVE_MODEL,
    NO_OUTLINE_NETWORK,
    Outline,
    OutlineRequest,
)
from shared.objects import ObjectStore
from shared.observability.logs import log


class OutlineService:
    def __init__(
        self,
        ledger: Ledger,
        objects: ObjectStore,
        live: LiveModel,
        decoders: SandboxPool,
    ) -> None:
        self._ledger = ledger
        self._objects = objects
        self._live = live
        self._decoders = decoders

    def draw_all(self, work_on_cases: Callable[[], None]) -> None:
        """Draw the outlines that wait; cases that wait have their turn after each of them."""
        while self.draw_next():
            work_on_cases()

    def draw_next(self) -> bool:
        """Draw the outlines of one preview; returns whether a request waited that no other worker
        has claimed.

        Nothing is raised if an engine is unavailable: the next notification tries again.
        """
        try:
            with self._ledger.system_session("worker") as session:
                request = session.outline_queue.claim_next()
            if request is None:
                return False
            self._answer(request)
        except Unavailable as error:
            log().warning("outlines.wait", problem=str(error))
            return False
        return True

    def _answer(self, request: OutlineRequest) -> None:
        """Raises Unavailable; the request then waits again."""
        metrics.OUTLINE_WAITED.observe(request.waited_s)
        began = time.perf_counter()
        try:
            reason = self._draw(request)
        except Unavailable:
            with self._ledger.system_session("worker") as session:
                session.outline_queue.release(request)
            raise
        except SeraError as error:
            reason = error.code
        except Exception as error:  # noqa: BLE001 (cases must go on)
            log().error(
                "outlines.broke", preview=str(request.preview_id), exc_info=error
            )
            reason = Reason.INTERNAL
        if reason is not None:
            with self._ledger.system_session("worker") as session:
                session.outline_queue.fail(request, reason)
        metrics.OUTLINE_DRAWN.observe(time.perf_counter() - began)
        metrics.OUTLINES.labels(reason or "drawn").inc()

    def _draw(self, request: OutlineRequest) -> str | None:
        """Draw and store the outlines; returns the code of the reason if there can be none.

        Raises SeraError of the image or the prompt.
        """
        served = self._live.serving()
        if served is None:
            return NO_LIVE_MODEL
        if served.bundle.framing.outliner is None:
            return NO_OUTLINE_NETWORK
        found = self._find(request, served)
        with self._ledger.system_session("worker") as session:
            session.outline_queue.finish(
                request,
                model_digest=served.digest,
                source=found.source,
                outlines=[_stored(outline) for outline in found.outlines],
            )
        return None

    def _find(self, request: OutlineRequest, served: ServedModel) -> FoundOutlines:
        data = self._objects.get(request.image_sha256)
        image = self._decoders.decode(data, request.frame)
        prompt = parse_prompt(request.prompt) if request.prompt else None
        return find_outlines(image, prompt, served.bundle.framing)


def _stored(outline: ProposedRoi) -> Outline:
    return Outline(polygon=outline.roi.outline_points, probability=outline.probability)
