"""The live model: loaded once, replaced in the background while the old one goes on serving."""

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
from shared.engines import limit_threads, fix_thread_count
from shared.errors import SeraError, Unavailable
from shared.ledger import Ledger
from shared.ledger.models.promotions import LivePromotion
from shared.observability.logs import log

RETRY_AFTER_S = 300.0
"""A refused bundle is tried again after this while, or as soon as it is promoted again: a disk may have healed."""
PRESENCE_S = 5.0
FOLLOW_S = 2.0
NICENESS = 10
SWITCH_S = 0.0005
"""How long the loading thread may keep the interpreter when inference wants it; Python's own 5 ms are felt."""


@dataclass(frozen=True)
class Refusal:
    """A bundle that did not prove itself, and until when this stands."""

    promotion: LivePromotion
    reason: Message
    retry_at: float


class LiveModel:
    """Follows the promotions. A bundle that cannot be loaded or reproduced never replaces the one that serves.

    Where nothing serves yet and the live bundle is refused, the one that was live before it serves: a worker that
    restarts must not stop answering while its neighbours go on.
    """

    def __init__(
        self,
        ledger: Ledger,
        bundle_cache: BundleCache,
        worker: str = "worker",
        report_loading: Callable[[], None] = lambda: None,
        presence: Presence | None = None,
    ) -> None:
        """`loading` is told before a model is loaded that work waits for."""
        self.presence = presence or Presence()
        self._ledger = ledger
        self._shelf = bundle_cache
        self._worker = worker
        self._loading = report_loading
        self._served: ServedModel | None = None
        self._refused: Refusal | None = None
        self._load_lock = threading.Lock()
        self._report_lock = threading.Lock()
        self._reported: tuple[str | None, Refusal | None] | None = None
        self._report_at = 0.0
        self._loader = ThreadPoolExecutor(
            1, thread_name_prefix="bundle-loader", initializer=lower_thread_priority
        )
        self._pending: Future[None] | None = None
        fix_thread_count()  # of the thread that infers, before the loader's are limited

    def serving(self) -> ServedModel | None:
        """What serves now; where nothing does, the live model is looked up and loaded first."""
        if self._served is None:
            return self.refresh()
        self._report()
        return self._served

    def refresh(self) -> ServedModel | None:
        """Look up what is live, and follow it."""
        served = self.follow(self._promotion())
        self._report()
        return served

    def follow(self, wanted: LivePromotion | None) -> ServedModel | None:
        """What serves now; None until a first model was promoted. A newly promoted one is loaded meanwhile."""
        refused = self._refused  # the loading thread may change it
        if wanted and refused and refused.promotion.digest != wanted.digest:
            self._refused = None
        if wanted and not self._settled(wanted):
            if self._served is None:
                self._load_first(wanted)
            elif self._pending is None or self._pending.done():
                self._pending = self._loader.submit(self._swap, wanted)
        return self._served

    def _promotion(self) -> LivePromotion | None:
        with self._ledger.system_session(self._worker) as session:
            return session.models.live_promotion()

    def _settled(self, wanted: LivePromotion) -> bool:
        """Whether it serves already, or was refused not long ago."""
        served = self._served
        refused = self._refused
        if served and served.digest == wanted.digest:
            return True
        return bool(
            refused and refused.promotion == wanted and time.monotonic() < refused.retry_at
        )

    def _load_first(self, wanted: LivePromotion) -> None:
        """Load the live model, or the newest before it that can be proven."""
        with self._load_lock:
            if self._served or self._settled(wanted):
                return
            self._loading()
            try:
                outcome = self._proven(wanted)
                if isinstance(outcome, Refusal):
                    self._served = self._before(wanted)
                    self._refused = outcome
                else:
                    self._served = outcome
            except Unavailable as away:  # it is tried again with the next look
                log().warning("model.waits", digest=wanted.digest, problem=str(away))

    def _before(self, wanted: LivePromotion) -> ServedModel | None:
        with self._ledger.system_session(self._worker) as session:
            earlier = [
                digest
                for digest in session.models.promotion_stack()
                if digest != wanted.digest
            ]
        outcomes = (
            self._proven(LivePromotion(digest=digest, number=0)) for digest in earlier
        )
        return next((each for each in outcomes if isinstance(each, ServedModel)), None)

    def _swap(self, wanted: LivePromotion) -> None:
        """Load and prove, then switch, unless another was promoted meanwhile."""
        try:
            with self._shelf.reserve_spare_slot(wait=True), fast_thread_switches():
                if self._settled(wanted):
                    return
                outcome = self._proven(wanted)
                promotion = self._promotion()
                if isinstance(outcome, Refusal):
                    self._refused = outcome
                elif promotion and promotion.digest == outcome.digest:
                    self._served = outcome
                    self._refused = None
                    log().info("model.swapped", digest=outcome.digest)
        except Unavailable as away:  # the old one serves, and the new one is tried again with the next look
            log().warning("model.waits", digest=wanted.digest, problem=str(away))

    def _proven(self, wanted: LivePromotion) -> ServedModel | Refusal:
        """The bundle, or why it is refused; raises Unavailable, which refuses nothing."""
        try:
            return self._shelf.load(wanted.digest)
        except Unavailable:
            raise
        except SeraError as error:
            reason = error.message
        except Exception as error:  # noqa: BLE001 (whatever a bundle does to us, the old one goes on serving)
            log().error("model.broke", digest=wanted.digest, exc_info=error)
            reason = Message(Reason.INTERNAL, {"process": self._worker})
        log().error("model.refused", digest=wanted.digest, **reason.to_json())
        return Refusal(wanted, reason, time.monotonic() + RETRY_AFTER_S)

    def _report(self) -> None:
        """Write down what serves and what was refused, at once when it changed and else from time to time."""
        with self._report_lock:
            served = self._served
            refused = self._refused
            digest = served.digest if served else None
            if (
                self._reported == (digest, refused)
                and time.monotonic() < self._report_at
            ):
                return
            with self._ledger.system_session(self._worker) as session:
                if refused:
                    session.serving.report_refusal(
                        self._worker, refused.promotion.digest, refused.reason
                    )
                session.serving.report(
                    self._worker,
                    digest,
                    self.presence.device,
                    self.presence.time_since_claim(),
                )
            metrics.set_served_model(served)
            self._reported = (digest, refused)
            self._report_at = time.monotonic() + PRESENCE_S


class Follower(threading.Thread):
    """Looks for a newly promoted model also while the worker is idle, or long at one batch, and says it is there."""

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
            except Unavailable as away:
                log().warning("follower.missed", problem=str(away))
            except Exception as error:  # noqa: BLE001 (it must not end before its worker does)
                log().error("follower.broke", exc_info=error)


def lower_thread_priority() -> None:
    """Let the calling thread, and those that its sums start, run only where inference leaves the cores free."""
    limit_threads(1)
    with suppress(OSError):  # only Linux lets one thread be nicer than its process
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)


@contextmanager
def fast_thread_switches() -> Iterator[None]:
    """Hand the interpreter over ten times as often as usual while a bundle is being built."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_S)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)
