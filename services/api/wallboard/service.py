"""Reads the wallboard once for all viewers, and shows each viewer the rows that it may see."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from services.api.dependencies import Dependencies
from services.api.middleware.authentication import ACTOR
from services.api.models.cautions import model_cautions
from services.api.monitoring import readiness
from services.api.monitoring.service import JsonAnswer, json_answer
from services.api.monitoring.views import rate
from services.api.wallboard.schemas import (
    BucketView,
    FailureView,
    FlowView,
    LaneView,
    WallboardHospital,
    WallboardModel,
    WallboardView,
    WallboardWindow,
    WallboardWorker,
)
from shared.domain.jobs import Priority
from shared.ledger import HospitalSession, SystemSession, Transaction
from shared.ledger.hospitals.repository import Caller
from shared.ledger.models.serving import WORKER_TIMEOUT, Worker
from shared.ledger.monitoring.wallboard import (
    DeadLetterCount,
    Span,
    Throughput,
    WaitingLane,
    WallboardData,
)

FRESH_S = {
    WallboardWindow.QUARTER: 3.0,
    WallboardWindow.HOUR: 3.0,
    WallboardWindow.DAY: 15.0,
}
"""Maximum age in seconds of the data of each window. The data are not read more often, even if many
dashboards poll.
"""
STEPS = {
    WallboardWindow.QUARTER: (timedelta(minutes=1), 15),
    WallboardWindow.HOUR: (timedelta(minutes=2), 30),
    WallboardWindow.DAY: (timedelta(minutes=30), 48),
}
"""Length and number of the time steps of each window."""
SILENT_WORKER_SHOWN = timedelta(minutes=10)
"""How long a worker without a sign of life stays on the wallboard."""


class WallboardService:
    """Reads the wallboard from the cache or the ledger.

    The request's transaction ends before the cache is used, so that no transaction stays open while
    the request waits for the data of another request.
    """

    def __init__(
        self, transaction: Transaction, caller: Caller, dependencies: Dependencies
    ) -> None:
        self._transaction = transaction
        self._hospital_id = caller.hospital_id
        self._actor = caller.actor
        self._dependencies = dependencies

    def answer(self, window: WallboardWindow) -> JsonAnswer:
        """Return the wallboard as JSON."""
        self._transaction.commit()
        key = ("wall", "json", self._hospital_id, window)
        return self._dependencies.answer_cache.get_or_make(
            key, FRESH_S[window], lambda: json_answer(self.view(window))
        )

    def view(self, window: WallboardWindow) -> WallboardView:
        """Return the wallboard of all hospitals together, with the rows of the hospitals that the
        caller may see.
        """
        self._transaction.commit()
        view, hospitals = self._dependencies.answer_cache.get_or_make(
            ("wall", window), FRESH_S[window], lambda: self._read(window)
        )
        if self._hospital_id is None:
            return view.model_copy(update={"hospitals": hospitals})
        workers = [worker.model_copy(update={"name": None}) for worker in view.workers]
        own_rows = self._hospital_rows(self._hospital_id, window)
        return view.model_copy(update={"hospitals": own_rows, "workers": workers})

    def _read(
        self, window: WallboardWindow
    ) -> tuple[WallboardView, list[WallboardHospital]]:
        session = SystemSession(self._transaction, ACTOR)
        now = session.wallboard.now()
        data = session.wallboard.read(_span(now, window))
        workers = session.serving.present_workers(SILENT_WORKER_SHOWN)
        model = _live_model(session)
        self._transaction.commit()
        view = WallboardView(
            as_of=now,
            window=window,
            since=data.span.start,
            bucket_s=data.span.bucket.total_seconds(),
            house=_flow(data, set(data.hospitals)),
            series=_series(data),
            hospitals=[],
            workers=[_worker(worker, data) for worker in workers],
            model=model,
            degraded=readiness.degraded_checks(self._dependencies),
        )
        return view, _rows(data)

    def _hospital_rows(
        self, hospital_id: UUID, window: WallboardWindow
    ) -> list[WallboardHospital]:
        """Read the row of one hospital in a session that sees only its data."""
        session = HospitalSession(self._transaction, hospital_id, self._actor)
        now = session.wallboard.now()
        return _rows(session.wallboard.read(_span(now, window)))


def _span(now: datetime, window: WallboardWindow) -> Span:
    bucket, buckets = STEPS[window]
    return Span(end=now, bucket=bucket, buckets=buckets)


def _rows(data: WallboardData) -> list[WallboardHospital]:
    return [
        WallboardHospital(
            hospital_id=hospital_id,
            hospital=name,
            flow=_flow(data, {hospital_id}, hospital_id),
        )
        for hospital_id, name in data.hospitals.items()
    ]


def _flow(
    data: WallboardData, hospital_ids: set[UUID], hospital_id: UUID | None = None
) -> FlowView:
    """Return the flow of `hospital_ids`, with the throughput of `hospital_id`, or of all hospitals
    if it is None.
    """
    throughput = _throughput(data, hospital_id)
    dead_letters = [
        count for count in data.dead_letters if count.hospital in hospital_ids
    ]
    decisions = [count for count in data.decisions if count.hospital in hospital_ids]
    lanes = [lane for lane in data.lanes if lane.hospital in hospital_ids]
    running = sum(
        count for hospital, count in data.running.items() if hospital in hospital_ids
    )
    results = throughput.results if throughput else 0
    minutes = (data.span.end - data.span.start) / timedelta(minutes=1)
    referred = sum(count.refer for count in decisions)
    decided = sum(count.results for count in decisions)
    return FlowView(
        results=results,
        per_minute=round(results / minutes, 3),
        **_latencies(throughput),
        waiting=_lanes(data, lanes),
        running=running,
        failures=_failures(dead_letters),
        dead_letters=sum(count.dead for count in dead_letters),
        refer=rate(referred, decided),
    )


def _throughput(data: WallboardData, hospital_id: UUID | None) -> Throughput | None:
    """Return the throughput over the whole span, or None without results."""
    for throughput in data.throughputs:
        if throughput.hospital == hospital_id and throughput.bucket is None:
            return throughput
    return None


def _latencies(throughput: Throughput | None) -> dict[str, float | None]:
    if throughput is None:
        return {"p50_s": None, "p95_s": None}
    return {"p50_s": round(throughput.p50_s, 3), "p95_s": round(throughput.p95_s, 3)}


def _lanes(data: WallboardData, lanes: Sequence[WaitingLane]) -> list[LaneView]:
    views = []
    for priority in (Priority.URGENT, Priority.ROUTINE):
        is_urgent = priority is Priority.URGENT
        waiting = [lane for lane in lanes if lane.urgent == is_urgent]
        views.append(
            LaneView(
                lane=priority,
                waiting=sum(lane.jobs for lane in waiting),
                oldest_s=_oldest_s(data, waiting),
            )
        )
    return views


def _oldest_s(data: WallboardData, lanes: Sequence[WaitingLane]) -> float | None:
    ages_s = [(data.span.end - lane.oldest).total_seconds() for lane in lanes]
    return round(max(0.0, *ages_s), 1) if ages_s else None


def _failures(dead_letters: Iterable[DeadLetterCount]) -> list[FailureView]:
    counts: Counter[str] = Counter()
    for count in dead_letters:
        counts[count.reason] += count.lately
    return [
        FailureView(reason=reason, jobs=jobs)
        for reason, jobs in counts.most_common()
        if jobs
    ]


def _series(data: WallboardData) -> list[BucketView]:
    span = data.span
    minutes = span.bucket / timedelta(minutes=1)
    throughputs = {
        throughput.bucket: throughput
        for throughput in data.throughputs
        if throughput.bucket is not None
    }
    buckets = []
    for number in range(span.buckets):
        throughput = throughputs.get(number)
        results = throughput.results if throughput else 0
        buckets.append(
            BucketView(
                begins=span.start + span.bucket * number,
                results=results,
                per_minute=round(results / minutes, 3),
                **_latencies(throughput),
            )
        )
    return buckets


def _worker(worker: Worker, data: WallboardData) -> WallboardWorker:
    silence = max(data.span.end - worker.seen_at, timedelta())
    return WallboardWorker(
        name=worker.name,
        alive=silence <= WORKER_TIMEOUT,
        seen_s=round(silence.total_seconds(), 1),
        model=worker.model_digest,
    )


def _live_model(session: SystemSession) -> WallboardModel | None:
    digest = session.models.live_digest()
    if digest is None:
        return None
    model = session.models.find(digest)
    return WallboardModel(
        digest=digest,
        name=model.name,
        version=model.version,
        cautions=model_cautions(session, model),
    )
