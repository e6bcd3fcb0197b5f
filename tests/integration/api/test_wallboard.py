from datetime import timedelta

import pytest
from sqlalchemy import text

from services.api.wallboard import service
from services.api.wallboard.schemas import WallboardView, WallboardWindow
from shared.domain.roles import Role
from shared.ledger.monitoring.wallboard import Wallboard
from tests.support.builders import form, png, result


@pytest.fixture
def busy(as_role, ledger):
    """`north` has results after 2 s and 10 s and a failed case; in `south` an urgent case waits."""
    for seed in (1, 2, 3):
        as_role().post("/v1/cases", **form(png(seed)))
    with ledger.system_session("test") as session:
        lease = session.queue.claim("w-1", 3, timedelta(minutes=1), 1)
        session.serving.report("w-1", "d" * 64)
        first, second, lost_job = (job.id for job in lease.jobs)
        session.queue.finish(lease.token, "d" * 64, {first: result(), second: result()})
    statement = (
        "UPDATE jobs SET created_at = (SELECT created_at FROM results WHERE job_id = :id) - "
        ":took WHERE id = :id"
    )
    with ledger.engine.begin() as connection:
        for job, took_s in ((first, 2), (second, 10)):
            connection.execute(
                text(statement), {"id": job, "took": timedelta(seconds=took_s)}
            )
        connection.execute(
            text("UPDATE jobs SET lease_until = now() WHERE id = :id"),
            {"id": lost_job},
        )
    with ledger.system_session("test") as session:
        session.queue.reclaim(1)
    as_role(hospital="south").post("/v1/cases", **form(png(4), priority="urgent"))


def read_wall(client, **parameters):
    answer = client.get("/v1/wall", params=parameters)
    assert answer.status_code == 200, answer.text
    return WallboardView.model_validate(answer.json())


def test_an_operator_sees_the_system_and_every_hospital(as_role, busy):
    wall = read_wall(as_role(Role.OPERATOR))
    assert (wall.house.results, wall.house.dead_letters, wall.house.running) == (
        2,
        1,
        0,
    )
    assert (wall.house.p50_s, wall.house.p95_s) == (6.0, 9.6)
    assert [(lane.lane, lane.waiting) for lane in wall.house.waiting] == [
        ("urgent", 1),
        ("routine", 0),
    ]
    assert wall.house.waiting[0].oldest_s >= 0
    assert wall.house.waiting[1].oldest_s is None
    assert [(failure.reason, failure.jobs) for failure in wall.house.failures] == [
        ("worker-lost", 1)
    ]
    north, south = wall.hospitals
    assert (north.hospital, north.flow.results, north.flow.dead_letters) == (
        "north",
        2,
        1,
    )
    assert (south.hospital, south.flow.results, south.flow.waiting[0].waiting) == (
        "south",
        0,
        1,
    )
    assert [(worker.name, worker.alive, worker.model) for worker in wall.workers] == [
        ("w-1", True, "d" * 64)
    ]
    assert (wall.model, wall.schema_version) == (None, 1)


@pytest.mark.parametrize(("window", "buckets"), [("15m", 15), ("1h", 30), ("24h", 48)])
def test_the_series_covers_the_window_and_adds_up(as_role, busy, window, buckets):
    wall = read_wall(as_role(Role.AUDITOR), window=window)
    assert len(wall.series) == buckets
    assert wall.series[0].begins == wall.since
    assert sum(bucket.results for bucket in wall.series) == wall.house.results == 2
    assert wall.series[-1].p95_s == 9.6
    assert wall.series[0].p50_s is None


@pytest.mark.parametrize("role", [Role.READER, Role.SUBMITTER, Role.HOSPITAL_ADMIN])
def test_a_hospital_sees_its_own_row_and_the_system_without_names(as_role, busy, role):
    answer = as_role(role, "south").get("/v1/wall")
    wall = WallboardView.model_validate(answer.json())
    assert [row.hospital for row in wall.hospitals] == ["south"]
    assert wall.house.results == 2
    assert "north" not in answer.text
    assert "w-1" not in answer.text
    assert [(worker.name, worker.alive) for worker in wall.workers] == [(None, True)]


def test_a_hundred_requests_cost_one_query_while_it_is_fresh(as_role, monkeypatch):
    monkeypatch.setitem(service.FRESH_S, WallboardWindow.QUARTER, 600.0)
    readings = []
    read_wallboard = Wallboard.read
    monkeypatch.setattr(
        Wallboard,
        "read",
        lambda self, span: readings.append(span) or read_wallboard(self, span),
    )
    operator = as_role(Role.OPERATOR)
    auditor = as_role(Role.AUDITOR)
    tags = {
        client.get("/v1/wall").headers["ETag"]
        for client in (operator, auditor)
        for _ in range(50)
    }
    assert (len(tags), len(readings)) == (1, 1)
    answer = auditor.get("/v1/wall", headers={"If-None-Match": tags.pop()})
    assert (answer.status_code, answer.content) == (304, b"")


def test_an_invalid_window_is_refused(as_role):
    assert as_role(Role.OPERATOR).get("/v1/wall?window=2d").status_code == 422


def test_the_wallboard_is_documented(gateway):
    document = gateway.get("/openapi.json").json()
    assert "If-None-Match" in document["paths"]["/v1/wall"]["get"]["description"]
    fields = document["components"]["schemas"]["WallboardView"]["properties"]
    assert all(
        "description" in fields[name]
        for name in ("as_of", "house", "series", "hospitals", "degraded")
    )
