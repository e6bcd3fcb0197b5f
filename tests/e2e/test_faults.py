"""Faults of a whole stack of its own: clocks that are wrong by a day, and a worker that lives but
does nothing.
"""

import queue
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.local import SERVICES, Backoff, Child, Event, Phase, Stack
from deploy.local.child import python
from tests.e2e.stage import PATIENCE_S, Hospital, Stage, free_port

pytestmark = pytest.mark.long

DAY_S = 86_400
OFF_S = {"api": DAY_S, "worker": -DAY_S, "beat": DAY_S}
STUCK_AFTER_S = 6.0
NEARLY_NOW_S = 300.0


class EventLog:
    """What the supervisor says of its children."""

    def __init__(self) -> None:
        self._events: queue.Queue[Event] = queue.Queue()
        self.put = self._events.put

    def wait(self, child: str, phase: Phase) -> Event:
        """The next event of that kind."""
        while (
            event := self._events.get(timeout=PATIENCE_S)
        ).child != child or event.phase is not phase:
            pass
        return event

    def forget(self) -> None:
        while not self._events.empty():
            self._events.get_nowait()


def shifted(child: Child) -> Child:
    """The same service with a wall clock that is a day off."""
    module = child.command[-1]
    return replace(
        child,
        command=python("tests.support.shifted_clock", str(OFF_S[child.name]), module),
    )


@pytest.fixture(scope="module")
def events() -> EventLog:
    return EventLog()


@pytest.fixture(scope="module")
def stage(
    tmp_path_factory: pytest.TempPathFactory, first_bundle: Path, events: EventLog
) -> Iterator[Stage]:
    """A stack whose gateway and clock are a day ahead of the database's clock, and whose worker is
    a day behind it.
    """
    services = [shifted(child) if child.name in OFF_S else child for child in SERVICES]
    required_services = [
        child for child in services if child.name in {"migrate", *OFF_S}
    ]
    env = {
        "SERA_RING_EVERY_S": "1",
        "SERA_STUCK_AFTER_S": f"{STUCK_AFTER_S:g}",
        "SERA_DECODE_S": "3",
    }
    settings = {
        "durable": False,
        "backoff": Backoff(0.1, 1.0),
        "extra_env": env,
        "observe": events.put,
    }
    home = tmp_path_factory.mktemp("sera") / "home"
    with Stack(home, free_port(), services=required_services, **settings) as stack:
        running = Stage(stack, queue.Queue())
        running.publish(first_bundle)
        yield running
        running.close()


@pytest.fixture(scope="module")
def north(stage: Stage) -> Hospital:
    return stage.hospital("north")


def test_clocks_that_are_wrong_by_a_day_change_no_figure(
    stage: Stage, north: Hospital
) -> None:
    job = north.read()
    assert (job["state"], job["attempts"]) == ("done", 1)
    assert all(
        0 <= ms < NEARLY_NOW_S * 1000 for ms in job["result"]["timings_ms"].values()
    )
    times = "SELECT extract(epoch FROM now() - {}) FROM {}"
    for table in ("cases", "results", "audit_events"):
        column = "at" if table == "audit_events" else "created_at"
        ages = [float(age) for (age,) in stage.rows(times.format(column, table))]
        assert all(0 <= age < NEARLY_NOW_S for age in ages), (table, ages)
    fields = {
        "role": "reader",
        "hospital": "north",
        "label": "a day",
        "expires_days": 1,
    }
    key = stage.operator().http.post("/v1/keys", json=fields).json()
    assert stage.rows(
        "SELECT expires_at - now() < interval '1 day' FROM api_keys WHERE id = :id",
        id=key["id"],
    ) == [(True,)]
    ready = north.http.get("/readyz")
    assert (ready.status_code, ready.json()["degraded"].keys() - {"space"}) == (
        200,
        set(),
    )
    assert north.submit().status_code == 202, (
        "the hospital's rate is its own clock's matter"
    )


def test_a_worker_that_lives_but_does_nothing_is_replaced_and_its_cases_answered(
    stage: Stage, north: Hospital, events: EventLog
) -> None:
    events.forget()
    stuck = stage.process("worker")
    stuck.suspend()
    receipts = [north.accepted() for _ in range(3)]
    assert (
        "completes nothing while work waits"
        in events.wait("worker", Phase.RESTING).detail
    )
    events.wait("worker", Phase.READY)
    jobs = [north.job(receipt["job_id"]) for receipt in receipts]
    assert [job["state"] for job in jobs] == ["done"] * 3
    assert stage.process("worker").pid != stuck.pid
