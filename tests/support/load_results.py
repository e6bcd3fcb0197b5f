"""Loads as they might have gone, for tests of what is made of them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from trials.load import LoadPlan, LoadRun
from trials.load.arrivals import Arrival, schedule
from trials.load.clients import ClientRecords, Fault, SentCase
from trials.load.monitoring import Sample
from trials.slo import CaseRecord, Kind, PlannedCase, Violations

LOAD = LoadPlan(hospitals=4, rate=5.0, minutes=1.0, seed=3)
BEGAN = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


def case(number: int, hospital: str = "load-01", at_s: float | None = None) -> Arrival:
    planned = PlannedCase(number, hospital, Kind.GOOD, 5.0 + number / 100)
    return Arrival(float(number) if at_s is None else at_s, planned)


def answered(
    arrival: Arrival, accepted_s: float = 0.05, answered_s: float = 0.5
) -> SentCase:
    """A case that went as it should."""
    number = arrival.planned.number
    receipt = {"job_id": f"job-{number}", "case_id": f"case-{number}"}
    fields = {
        "state": "done",
        "attempts": 1,
        "reason": None,
        "result": {"fna": {"size_mm": arrival.planned.size_mm}},
    }
    return SentCase(
        arrival,
        CaseRecord(arrival.planned, [receipt], job=receipt | fields),
        0.001,
        accepted_s,
        answered_s,
    )


def unanswered(arrival: Arrival) -> SentCase:
    """Accepted, and nothing more."""
    sent = answered(arrival)
    sent.record.job = None
    sent.answered_s = None
    return sent


def samples(
    memory: Mapping[str, Sequence[float]], every_s: float = 5.0
) -> list[Sample]:
    """Looks with these figures, one after another."""
    looks = zip(*memory.values(), strict=True)
    return [
        Sample(place * every_s, 2, 8, dict(zip(memory, values, strict=True)))
        for place, values in enumerate(looks)
    ]


def run(faults: Sequence[Fault] = (), **changes: object) -> LoadRun:
    """A minute in which every case was answered, each in a time of its own."""
    waits = (
        (arrival, 0.2 + 0.01 * (arrival.planned.number % 40))
        for arrival in schedule(LOAD)
    )
    sent = [answered(arrival, answered_s=wait) for arrival, wait in waits]
    notes = ClientRecords(sent, list(faults), LOAD.seconds)
    looks = samples({"api": [200.0] * 12, "worker": [900.0] * 12})
    default_run = LoadRun(
        LOAD,
        "http://127.0.0.1:8000",
        "small/1",
        BEGAN,
        interrupted=False,
        notes=notes,
        samples=looks,
        restarted={},
        answers=Violations(),
        cpu_share=0.04,
        is_local=True,
    )
    return replace(default_run, **changes)
