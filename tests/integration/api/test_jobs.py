import threading
import time
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from datetime import timedelta

import pytest
from fastapi.testclient import TestClient

from shared.domain.roles import Role
from tests.support.app import create_app
from tests.support.builders import form, result

DIGEST = "d" * 64
LEASE = timedelta(minutes=1)


@pytest.fixture
def job(north):
    return north.post("/v1/cases", **form()).json()["job_id"]


@pytest.fixture
def answer_next(ledger):
    """Claims the next job and stores a result, as a worker does."""

    def finish_next(job_result):
        with ledger.system_session("w") as session:
            lease = session.queue.claim("w", 1, LEASE, 5)
        with ledger.system_session("w") as session:
            session.queue.finish(lease.token, DIGEST, {lease.jobs[0].id: job_result})

    return finish_next


def test_a_long_poll_answers_as_soon_as_the_job_is_done(north, job, answer_next):
    timer = threading.Timer(0.5, answer_next, [result(risk=0.4)])
    timer.start()
    start = time.monotonic()
    polled = north.get(f"/v1/jobs/{job}?wait=30").json()
    timer.join()
    assert (polled["state"], polled["result"]["risk"]) == ("done", 0.4)
    assert time.monotonic() - start < 15


def test_an_unchanged_poll_has_no_body(north, job, answer_next):
    first = north.get(f"/v1/jobs/{job}")
    assert first.headers["Retry-After"] == "1"
    unchanged = {"If-None-Match": first.headers["ETag"]}
    assert north.get(f"/v1/jobs/{job}", headers=unchanged).status_code == 304
    answer_next(result(risk=0.4))
    changed = north.get(f"/v1/jobs/{job}", headers=unchanged)
    assert changed.status_code == 200
    assert "Retry-After" not in changed.headers


def test_events_follow_a_job_to_its_end(north, job, answer_next):
    timer = threading.Timer(0.3, answer_next, [result(risk=0.4)])
    timer.start()
    text = north.get(f"/v1/jobs/{job}/events").text
    timer.join()
    assert text.count("event: job") >= 2
    assert (
        '"state":"done"'
        in text.replace(" ", "").splitlines()[-2 if text.endswith("\n") else -1]
        or '"done"' in text
    )


def test_events_of_an_unknown_job_are_a_problem_not_a_stream(north):
    assert (
        north.get("/v1/jobs/00000000-0000-0000-0000-000000000000/events").status_code
        == 404
    )


def test_jobs_are_listed_by_state_page_by_page(north, answer_next):
    jobs = [
        north.post("/v1/cases", **form(size_mm=size)).json()["job_id"]
        for size in (5, 6, 7)
    ]
    answer_next(result())
    first = north.get("/v1/jobs?limit=2").json()
    rest = north.get(
        "/v1/jobs", params={"limit": 2, "cursor": first["next_cursor"]}
    ).json()
    assert [listed["job_id"] for listed in first["jobs"] + rest["jobs"]] == jobs[::-1]
    assert rest["next_cursor"] is None
    done = north.get("/v1/jobs?state=done").json()["jobs"]
    assert [listed["job_id"] for listed in done] == jobs[:1]


@pytest.mark.parametrize("cursor", ["x", "aGVsbG8=", "%00"])
def test_an_invalid_cursor_is_refused(north, cursor):
    assert north.get(f"/v1/jobs?cursor={cursor}").json()["code"] == "cursor-invalid"


def test_a_queued_job_is_cancelled_once(north, job):
    assert north.post(f"/v1/jobs/{job}/cancel").json()["state"] == "cancelled"
    assert north.post(f"/v1/jobs/{job}/cancel").status_code == 409


@pytest.fixture
def dead(job, ledger):
    """A job that has used all its attempts on lost workers."""
    for _ in range(2):
        with ledger.system_session("w") as session:
            session.queue.claim("w", 1, timedelta(seconds=-1), 1)
    return job


@pytest.mark.parametrize("role", [Role.OPERATOR, Role.HOSPITAL_ADMIN, Role.SUBMITTER])
def test_a_dead_letter_is_rerun_by_operators_and_submitting_roles(
    as_role, north, dead, role
):
    assert north.get(f"/v1/jobs/{dead}").json()["reason"] == "worker-lost"
    assert as_role(Role.READER).post(f"/v1/jobs/{dead}/rerun").status_code == 403
    assert (
        as_role(Role.HOSPITAL_ADMIN, "south").post(f"/v1/jobs/{dead}/rerun").status_code
        == 404
    )
    runner = as_role(role)
    assert runner.post(f"/v1/jobs/{dead}/rerun").status_code == 202
    assert north.get(f"/v1/jobs/{dead}").json()["state"] == "queued"
    assert runner.post(f"/v1/jobs/{dead}/rerun").json()["code"] == "not-a-dead-letter"
    events = as_role(Role.HOSPITAL_ADMIN).get("/v1/audit?limit=1000").json()
    assert [event["job_id"] for event in events if event["event"] == "job.rerun"] == [
        dead
    ]


def test_all_dead_letters_of_one_reason_and_hospital_are_rerun(as_role, north, dead):
    south = as_role(Role.HOSPITAL_ADMIN, "south")
    assert south.post("/v1/jobs/rerun?reason=worker-lost").json() == {
        "queued": 0,
        "more": False,
    }
    assert north.post("/v1/jobs/rerun?reason=internal").json()["queued"] == 0
    assert north.post("/v1/jobs/rerun?reason=worker-lost").json() == {
        "queued": 1,
        "more": False,
    }
    body = north.get(f"/v1/jobs/{dead}").json()
    assert (body["state"], body["attempts"], body["message"]) == ("queued", 0, None)


def limited(settings, make_key, **limits):
    """A client of a gateway with these limits."""
    return TestClient(
        create_app(settings.model_copy(update=limits)),
        headers={"Authorization": f"Bearer {make_key()}"},
    )


def test_a_key_has_a_limited_number_of_long_polls(settings, make_key):
    with limited(settings, make_key, long_polls_per_key=1) as client:
        job_id = client.post("/v1/cases", **form()).json()["job_id"]
        path = f"/v1/jobs/{job_id}"
        with ThreadPoolExecutor() as threads:
            polls = [threads.submit(client.get, f"{path}?wait=30") for _ in range(2)]
            ended, waiting = wait(polls, return_when=FIRST_COMPLETED)
            codes = [poll.result().json()["code"] for poll in ended]
            assert codes == ["too-many-waiting"]
            assert client.get(path).status_code == 200
            other = {"Authorization": f"Bearer {make_key()}"}
            answer = client.get(f"{path}?wait=0.01", headers=other)
            assert answer.status_code == 200
            client.post(f"{path}/cancel")
            states = [poll.result().json()["state"] for poll in waiting]
        assert states == ["cancelled"]


def test_a_key_has_a_limited_number_of_event_streams(settings, make_key):
    with limited(settings, make_key, event_streams_per_key=1) as client:
        job_id = client.post("/v1/cases", **form()).json()["job_id"]
        path = f"/v1/jobs/{job_id}/events"
        with ThreadPoolExecutor() as threads:
            streams = [threads.submit(client.get, path) for _ in range(2)]
            ended, _ = wait(streams, return_when=FIRST_COMPLETED)
            codes = [stream.result().json()["code"] for stream in ended]
            client.post(f"/v1/jobs/{job_id}/cancel")
        assert codes == ["too-many-waiting"]
        assert sorted(stream.result().status_code for stream in streams) == [200, 429]
        assert client.get(path).status_code == 200


def test_an_event_stream_ends_after_its_time(settings, make_key):
    with limited(settings, make_key, event_stream_max_s=0.01) as client:
        job_id = client.post("/v1/cases", **form()).json()["job_id"]
        events = client.get(f"/v1/jobs/{job_id}/events").text
    assert '"state":"queued"' in events
