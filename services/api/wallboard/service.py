"""Reads the wall once for all who look at it, and shows each what they may see."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import timedelta
from uuid import UUID

from services.api.dependencies import Dependencies
from services.api.middleware.authentication import ACTOR
from services.api.monitoring import readiness
from services.api.monitoring.schemas import MonitoredModelView
from services.api.monitoring.service import JsonAnswer, json_answer
from services.api.monitoring.views import rate
from services.api.wallboard.schemas import (
    BucketView,
    FailureView,
    FlowView,
    LaneView,
    WallboardHospital,
    WallboardView,
    WallboardWindow,
    WallboardWorker,
)
from shared.domain.jobs import Priority
from shared.ledger import HospitalSession, SystemSession, Transaction
from shared.ledger.hospitals.repository import Caller
from shared.ledger.models.serving import WORKER_TIMEOUT, Worker
from shared.ledger.monitoring.wallboard import WaitingLane, Throughput, WallboardData, Span

FRESH_S = {WallboardWindow.QUARTER: 3.0, WallboardWindow.HOUR: 3.0, WallboardWindow.DAY: 15.0}
"""How old a reading may be; however many dashboards poll, and however often, each window is read no oftener."""
STEPS = {
    WallboardWindow.QUARTER: (timedelta(minutes=1), 15),
    WallboardWindow.HOUR: (timedelta(minutes=2), 30),
    WallboardWindow.DAY: (timedelta(minutes=30), 48),
}
SILENT = timedelta(minutes=10)
"""How long a worker that fell silent stays on the wall."""


class WallboardService:
    """The request's transaction ends before a reading is asked for: whoever waits for another's holds none."""

    def __init__(self, transaction: Transaction, caller: Caller, dependencies: Dependencies) -> None:
        self._transaction = transaction
        self._hospital = caller.hospital_id
        self._actor = caller.actor
        self._dependencies = dependencies

    def answer(self, window: WallboardWindow) -> JsonAnswer:
        """The wall as JSON."""
        self._transaction.commit()
        key = ("wall", "json", self._hospital, window)
        return self._dependencies.answer_cache.get_or_make(
            key, FRESH_S[window], lambda: json_answer(self.view(window))
        )

    def view(self, window: WallboardWindow) -> WallboardView:
        """The house's reading, with the rows of those hospitals that the caller may see."""
        self._transaction.commit()
        house, everybody = self._dependencies.answer_cache.get_or_make(
            ("wall", window), FRESH_S[window], lambda: self._read(window)
        )
        if self._hospital is None:
            return house.model_copy(update={"hospitals": everybody})
        workers = [worker.model_copy(update={"name": None}) for worker in house.workers]
        own = self._own(self._hospital, window)
        return house.model_copy(update={"hospitals": own, "workers": workers})

    def _read(self, window: WallboardWindow) -> tuple[WallboardView, list[WallboardHospital]]:
        session = SystemSession(self._transaction, ACTOR)
        now = session.wallboard.now()
        reading = session.wallboard.read(Span(now, *STEPS[window]))
        workers = session.serving.present_workers(SILENT)
        model = _live(session)
        self._transaction.commit()
        view = WallboardView(
            as_of=now,
            window=window,
            since=reading.span.start,
            bucket_s=reading.span.bucket.total_seconds(),
            house=_flow(reading, list(reading.hospitals)),
            series=_series(reading),
            hospitals=[],
            workers=[_worker(worker, reading) for worker in workers],
            model=model,
            degraded=readiness.degraded_checks(self._dependencies),
        )
        return view, _rows(reading)

    def _own(self, hospital_id: UUID, window: WallboardWindow) -> list[WallboardHospital]:
        """Read where only this hospital's rows exist."""
        session = HospitalSession(self._transaction, hospital_id, self._actor)
        return _rows(session.wallboard.read(Span(session.wallboard.now(), *STEPS[window])))


def _rows(reading: WallboardData) -> list[WallboardHospital]:
    return [
        WallboardHospital(
            hospital_id=hospital,
            hospital=name,
            flow=_flow(reading, [hospital], hospital),
        )
        for hospital, name in reading.hospitals.items()
    ]


def _flow(
    reading: WallboardData, of: Sequence[UUID], hospital: UUID | None = None
) -> FlowView:
    """Of these hospitals; `hospital` is the row of paces that is theirs, None that of all."""
    those = set(of)
    pace = next(
        (
            each
            for each in reading.throughputs
            if (each.hospital, each.bucket) == (hospital, None)
        ),
        None,
    )
    failed = [each for each in reading.dead_letters if each.hospital in those]
    decided = [each for each in reading.decisions if each.hospital in those]
    minutes = (reading.span.end - reading.span.start) / timedelta(minutes=1)
    return FlowView(
        results=pace.results if pace else 0,
        per_minute=round(pace.results / minutes, 3) if pace else 0.0,
        **_took(pace),
        waiting=_lanes(
            reading, [lane for lane in reading.lanes if lane.hospital in those]
        ),
        running=sum(count for each, count in reading.running.items() if each in those),
        failures=_failures((each.reason, each.lately) for each in failed),
        dead_letters=sum(each.dead for each in failed),
        refer=rate(
            sum(each.refer for each in decided), sum(each.results for each in decided)
        ),
    )


def _took(pace: Throughput | None) -> dict[str, float | None]:
    return (
        {"p50_s": round(pace.p50_s, 3), "p95_s": round(pace.p95_s, 3)}
        if pace
        else {"p50_s": None, "p95_s": None}
    )


def _lanes(reading: WallboardData, lanes: Sequence[WaitingLane]) -> list[LaneView]:
    return [
        LaneView(
            lane=lane,
            waiting=sum(each.jobs for each in waiting),
            oldest_s=_oldest_s(reading, waiting),
        )
        for lane in (Priority.URGENT, Priority.ROUTINE)
        for waiting in [
            [each for each in lanes if each.urgent == (lane is Priority.URGENT)]
        ]
    ]


def _oldest_s(reading: WallboardData, lanes: Sequence[WaitingLane]) -> float | None:
    ages = [(reading.span.end - lane.oldest).total_seconds() for lane in lanes]
    return round(max(0.0, *ages), 1) if ages else None


def _failures(told: Iterable[tuple[str, int]]) -> list[FailureView]:
    counts: Counter[str] = Counter()
    for reason, jobs in told:
        counts[reason] += jobs
    return [
        FailureView(reason=reason, jobs=jobs)
        for reason, jobs in counts.most_common()
        if jobs
    ]


def _series(reading: WallboardData) -> list[BucketView]:
    span = reading.span
    made = {each.bucket: each for each in reading.throughputs if each.bucket is not None}
    minutes = span.bucket / timedelta(minutes=1)
    counts = [
        made[number].results if number in made else 0 for number in range(span.buckets)
    ]
    return [
        BucketView(
            begins=span.start + span.bucket * number,
            results=count,
            per_minute=round(count / minutes, 3),
            **_took(made.get(number)),
        )
        for number, count in enumerate(counts)
    ]


def _worker(worker: Worker, reading: WallboardData) -> WallboardWorker:
    silent = max(reading.span.end - worker.seen_at, timedelta())
    seen_s = round(silent.total_seconds(), 1)
    return WallboardWorker(
        name=worker.name,
        alive=silent <= WORKER_TIMEOUT,
        seen_s=seen_s,
        model=worker.model_digest,
    )


def _live(session: SystemSession) -> MonitoredModelView | None:
    digest = session.models.live_digest()
    known = (
        {each.digest: each for each in session.observations.references([digest])}
        if digest
        else {}
    )
    if digest is None:
        return None
    model = known.get(digest)
    return MonitoredModelView(
        digest=digest,
        name=model.name if model else None,
        version=model.version if model else None,
    )
