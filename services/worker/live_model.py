"""The live model. It is loaded once, and replaced in the background while the old model continues
to serve.
"""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from services.worker import metrics
from services.worker.bundle_cache import BundleCache, ServedModel
from services.worker.presence import Presence
from shared.domain.jobs import Reason
from shared.domain.messages import Message
from shared.engines import fix_thread_count, limit_threads
from shared.errors import SeraError, Unavailable
from shared.ledger import Ledger
from shared.ledger.models.promotions import LivePromotion
from shared.observability.logs import log

RETRY_AFTER_S = 300.0
"""A refused bundle is tried again after this time, because a disk may have recovered. It is tried
at once when it is promoted again."""
PRESENCE_S = 5.0
FOLLOW_S = 2.0
NICENESS = 10
SWITCH_INTERVAL_S = 0.0005
"""How long the loading thread may keep the interpreter while inference waits for it. Python's
default of 5 ms slows inference noticeably."""


@dataclass(frozen=True)
class Refusal:
    """A bundle that failed its verification, and the monotonic time of the next attempt."""

    promotion: LivePromotion
    reason: Message
    retry_at: float


class LiveModel:
    """Follows promotions and provides the model that serves.

    A bundle that cannot be loaded or does not reproduce its golden cases never replaces the serving
    model. If no model serves yet and the live bundle is refused, the previously live model serves:
    a restarted worker must continue to process cases like the other workers.
    """

    def __init__(
        self,
        ledger: Ledger,
        bundle_cache: BundleCache,
        worker: str = "worker",
        report_loading: Callable[[], None] = lambda: None,
        presence: Presence | None = None,
    ) -> None:
        """`report_loading` is called before a model is loaded while work waits for it."""
        self.presence = presence or Presence()
        self._ledger = ledger
        self._bundle_cache = bundle_cache
        self._worker = worker
        self._report_loading = report_loading
        self._model: ServedModel | None = None
        self._refusal: Refusal | None = None
        self._load_lock = threading.Lock()
        self._report_lock = threading.Lock()
        self._reported: tuple[str | None, Refusal | None] | None = None
        self._report_at = 0.0
        self._loader = ThreadPoolExecutor(
            1, thread_name_prefix="bundle-loader", initializer=lower_thread_priority
        )
        self._pending: Future[None] | None = None
        # Sets the thread count of the inference thread, before the loader thread limits its own
        # count.
        fix_thread_count()

    def serving(self) -> ServedModel | None:
        """Return the model that serves. If none does, look up the live model and load it first."""
        if self._model is None:
            return self.refresh()
        self._report()
        return self._model

    def refresh(self) -> ServedModel | None:
        """Look up the live promotion and follow it."""
        model = self.follow(self._live_promotion())
        self._report()
        return model

    def follow(self, promotion: LivePromotion | None) -> ServedModel | None:
        """Return the model that serves, or None before the first promotion.

        Meanwhile a newly promoted model is loaded in the background.
        """
        refusal = self._refusal  # the loading thread may change the attribute
        if promotion and refusal and refusal.promotion.digest != promotion.digest:
            self._refusal = None
        if promotion and not self._is_settled(promotion):
            if self._model is None:
                self._load_first(promotion)
            elif self._pending is None or self._pending.done():
                self._pending = self._loader.submit(self._swap, promotion)
        return self._model

    def _live_promotion(self) -> LivePromotion | None:
        with self._ledger.system_session(self._worker) as session:
            return session.models.live_promotion()

    def _is_settled(self, promotion: LivePromotion) -> bool:
        """Return whether the model already serves or was refused recently."""
        model = self._model
        refusal = self._refusal
        if model and model.digest == promotion.digest:
            return True
        if refusal is None or refusal.promotion != promotion:
            return False
        return time.monotonic() < refusal.retry_at

    def _load_first(self, promotion: LivePromotion) -> None:
        """Load the live model, or the latest earlier model that passes its verification."""
        with self._load_lock:
            if self._model or self._is_settled(promotion):
                return
            self._report_loading()
            try:
                outcome = self._load_verified(promotion)
                if isinstance(outcome, Refusal):
                    self._model = self._load_predecessor(promotion)
                    self._refusal = outcome
                else:
                    self._model = outcome
            except Unavailable as error:
                # The next lookup tries again.
                log().warning(
                    "model.waits", digest=promotion.digest, problem=str(error)
                )

    def _load_predecessor(self, promotion: LivePromotion) -> ServedModel | None:
        with self._ledger.system_session(self._worker) as session:
            digests = session.models.promotion_stack()
        for digest in digests:
            if digest == promotion.digest:
                continue
            outcome = self._load_verified(LivePromotion(digest=digest, number=0))
            if isinstance(outcome, ServedModel):
                return outcome
        return None

    def _swap(self, promotion: LivePromotion) -> None:
        """Load and verify the model, then switch to it, unless another was promoted meanwhile."""
        try:
            with (
                self._bundle_cache.reserve_spare_slot(wait=True),
                fast_thread_switches(),
            ):
                if self._is_settled(promotion):
                    return
                outcome = self._load_verified(promotion)
                newest_promotion = self._live_promotion()
                if isinstance(outcome, Refusal):
                    self._refusal = outcome
                elif newest_promotion and newest_promotion.digest == outcome.digest:
                    self._model = outcome
                    self._refusal = None
                    log().info("model.swapped", digest=outcome.digest)
        except Unavailable as error:
            # The old model serves, and the next lookup tries the new one again.
            log().warning("model.waits", digest=promotion.digest, problem=str(error))

    def _load_verified(self, promotion: LivePromotion) -> ServedModel | Refusal:
        """Return the model, or the refusal with its reason. Raises Unavailable if an engine is
        unavailable; the model then counts as not refused.
        """
        digest = promotion.digest
        try:
            return self._bundle_cache.load(digest)
        except Unavailable:
            raise
        except SeraError as error:
            reason = error.message
        except Exception as error:  # noqa: BLE001 (the old model continues to serve)
            log().error("model.broke", digest=digest, exc_info=error)
            reason = Message(Reason.INTERNAL, {"process": self._worker})
        log().error("model.refused", digest=digest, **reason.to_json())
        return Refusal(
            promotion=promotion,
            reason=reason,
            retry_at=time.monotonic() + RETRY_AFTER_S,
        )

    def _report(self) -> None:
        """Write the serving model and the refusal to the ledger: immediately after a change, else
        from time to time.
        """
        with self._report_lock:
            model = self._model
            refusal = self._refusal
            digest = model.digest if model else None
            is_reported = self._reported == (digest, refusal)
            if is_reported and time.monotonic() < self._report_at:
                return
            with self._ledger.system_session(self._worker) as session:
                if refusal:
                    session.serving.report_refusal(
                        self._worker, refusal.promotion.digest, refusal.reason
                    )
                session.serving.report(
                    self._worker,
                    digest,
                    self.presence.device,
                    self.presence.time_since_claim(),
                )
            metrics.set_served_model(model)
            self._reported = (digest, refusal)
            self._report_at = time.monotonic() + PRESENCE_S


class Follower(threading.Thread):
    """Follows promotions while the worker is idle or works on one batch for long, and reports its
    presence.
    """

    def __init__(self, live: LiveModel) -> None:
        super().__init__(name="follower", daemon=True)
        self._live = live
        self._stopping = threading.Event()

    def stop(self) -> None:
        self._stopping.set()
        self.join()

    def run(self) -> None:
        while not self._stopping.wait(FOLLOW_S):
            try:
                self._live.refresh()
            except Unavailable as error:
                log().warning("follower.missed", problem=str(error))
            except Exception as error:  # noqa: BLE001 (the thread must not end before its worker)
                log().error("follower.broke", exc_info=error)


def lower_thread_priority() -> None:
    """Let the calling thread and the threads of its computations run only on free cores."""
    limit_threads(1)
    with suppress(OSError):  # only Linux lets one thread be nicer than its process
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)


@contextmanager
def fast_thread_switches() -> Iterator[None]:
    """Switch threads ten times as often as usual while a bundle is being built."""
    usual_s = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    try:
        yield
    finally:
        sys.setswitchinterval(usual_s)
