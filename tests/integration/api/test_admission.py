from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from uuid import UUID

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from shared.cases.admission import (
    DEFAULT_RETRY_S,
    MAX_RETRY_S,
    open_places,
    retry_after_s,
)
from shared.domain.roles import Role
from tests.support.app import create_app
from tests.support.builders import form, png


@pytest.fixture
def operator(as_role):
    return as_role(Role.OPERATOR)


@pytest.fixture
def limited(operator, north):
    """Sets limits of the hospital `north`."""

    def set_to(**limits):
        assert operator.patch("/v1/hospitals/north", json=limits).status_code == 200

    return set_to


def refused(answer, code):
    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["retryable"]) == (
        429,
        code,
        True,
    )
    assert answer.headers["content-type"] == "application/problem+json"
    return int(answer.headers["Retry-After"])


def sent(client, number, **fields):
    return [client.post("/v1/cases", **form(**fields)) for _ in range(number)]


def spend(ledger, tokens, seconds_ago=0.0):
    """Leave this many tokens in every bucket, as they were some seconds ago."""
    with ledger.engine.begin() as connection:
        fields = {"tokens": tokens, "ago": seconds_ago}
        connection.execute(
            text(
                "UPDATE allowances SET tokens = :tokens, filled_at = clock_timestamp() - :ago * "
                "interval '1 s'"
            ),
            fields,
        )


def test_a_hospital_over_its_rate_is_told_when_to_come_back(north, limited):
    limited(rate_per_minute=6)
    answers = sent(north, 6)
    assert [answer.status_code for answer in answers] == [202] * 5 + [429]
    assert 0 < refused(answers[-1], "rate-limited") <= 10
    assert "6 cases a minute" in answers[-1].json()["detail"]


def test_an_urgent_case_has_a_reserve_of_the_rate(north, limited):
    limited(rate_per_minute=6)
    sent(north, 6)
    assert sent(north, 1, priority="urgent")[0].status_code == 202
    refused(sent(north, 1, priority="urgent")[0], "rate-limited")


def test_a_refused_case_costs_nothing_of_the_reserve(north, limited):
    limited(rate_per_minute=10)
    sent(north, 20)
    assert sent(north, 1, priority="urgent")[0].status_code == 202


def test_the_bucket_fills_with_time_and_never_over_a_minutes_worth(
    north, limited, ledger
):
    limited(rate_per_minute=10)
    sent(north, 9)
    spend(ledger, 0, seconds_ago=30)
    assert [item.status_code for item in sent(north, 5)] == [202] * 4 + [429]
    spend(ledger, 0, seconds_ago=3600)
    assert [row.status_code for row in sent(north, 10)] == [202] * 9 + [429]


def test_a_clock_set_back_locks_nobody_out(north, limited, ledger):
    limited(rate_per_minute=10)
    sent(north, 1)
    spend(ledger, 0, seconds_ago=-3600)
    assert sent(north, 1)[0].status_code == 202


def test_processes_draw_from_one_bucket(north, limited, settings):
    limited(rate_per_minute=10)
    with (
        TestClient(create_app(settings), headers=north.headers) as other_hospital,
        ThreadPoolExecutor(4) as pool,
    ):
        clients = [north, other_hospital] * 8
        answers = list(
            pool.map(
                lambda client: client.post("/v1/cases", **form()).status_code, clients
            )
        )
    assert (answers.count(202), answers.count(429)) == (9, 7)


def test_cases_under_way_are_limited_and_a_finished_one_makes_room(north, limited):
    limited(inflight_quota=4)
    answers = sent(north, 4)
    assert [answer.status_code for answer in answers] == [202, 202, 202, 429]
    assert refused(answers[-1], "quota-reached") == DEFAULT_RETRY_S
    assert sent(north, 1, priority="urgent")[0].status_code == 202
    for answer in answers[:2]:
        assert (
            north.post(f"/v1/jobs/{answer.json()['job_id']}/cancel").status_code == 200
        )
    assert sent(north, 1)[0].status_code == 202


def test_what_comes_back_later_follows_the_pace(north, limited, ledger):
    limited(inflight_quota=2)
    first = sent(north, 1)[0].json()
    with ledger.system_session("w1") as session:
        hospital = session.hospitals.find("north").id
    with ledger.engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO results (id, job_id, hospital_id, model_digest, body, created_at) "
                "SELECT gen_random_uuid(), :job, :hospital, n, '{}', clock_timestamp() - interval "
                "'50 s' "
                "FROM generate_series(1, 10) n"
            ),
            {"job": UUID(first["job_id"]), "hospital": hospital},
        )
    assert refused(sent(north, 1)[0], "quota-reached") in (5, 6)


def test_one_hospital_at_its_limit_is_no_matter_to_another(north, limited, as_role):
    limited(inflight_quota=1)
    sent(north, 1)
    refused(sent(north, 1)[0], "quota-reached")
    assert sent(as_role(hospital="south"), 1)[0].status_code == 202


def test_a_full_queue_refuses_all_but_urgent_cases(settings, make_key):
    small = settings.model_copy(update={"max_queued": 2, "urgent_reserve": 0.5})
    headers = {"Authorization": f"Bearer {make_key()}"}
    with TestClient(create_app(small), headers=headers) as north:
        admission = north.app.state.dependencies.acceptance.admission
        assert sent(north, 1)[0].status_code == 202
        admission._count_waiting.cache_clear()
        assert refused(sent(north, 1)[0], "queue-full") == DEFAULT_RETRY_S
        assert sent(north, 1, priority="urgent")[0].status_code == 202


def test_a_body_is_not_read_to_say_no(north, limited):
    limited(inflight_quota=1)
    assert sent(north, 1, priority="urgent")[0].status_code == 202
    nonsense = north.post(
        "/v1/cases",
        content=b"x" * 1000,
        headers={"Content-Type": "multipart/form-data"},
    )
    refused(nonsense, "quota-reached")


def test_nothing_is_stored_of_a_refused_case(north, limited, gateway):
    limited(rate_per_minute=2)
    image = png(7)
    assert sent(north, 1)[0].status_code == 202
    refused(sent(north, 1, image=image)[0], "rate-limited")
    objects = gateway.app.state.dependencies.objects
    assert not objects.exists(sha256(image).hexdigest())


def test_limits_are_an_operators_to_set_and_the_hospitals_to_see(
    as_role, operator, north
):
    administrator = as_role(Role.HOSPITAL_ADMIN)
    assert administrator.patch("/v1/hospital", json={"weight": 5}).status_code == 422
    assert (
        operator.patch(
            "/v1/hospitals/north", json={"weight": 5, "rate_per_minute": 60}
        ).status_code
        == 200
    )
    body = north.get("/v1/hospital").json()
    assert (
        body["weight"],
        body["rate_per_minute"],
        body["in_use"]["inflight_quota"],
    ) == (
        5,
        60,
        5000,
    )
    assert (
        operator.patch("/v1/hospitals/north", json={"weight": None}).json()["in_use"][
            "weight"
        ]
        == 1
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"weight": 0},
        {"weight": 11},
        {"rate_per_minute": 0},
        {"inflight_quota": 100_001},
    ],
)
def test_limits_outside_their_range_are_refused_with_the_range(operator, north, wrong):
    answer = operator.patch("/v1/hospitals/north", json=wrong)
    assert (answer.status_code, answer.json()["code"]) == (
        422,
        "setting-outside-limits",
    )


def test_places_kept_for_urgent_cases_are_rounded_up_and_leave_one():
    assert [open_places(limit, 0.1) for limit in (1, 2, 10, 5000)] == [1, 1, 9, 4500]
    assert open_places(1, 0.0) == 1


def test_a_wait_is_told_in_whole_seconds_within_bounds():
    assert [retry_after_s(exact) for exact in (0, 0.2, 1.1, 1e9)] == [
        1,
        1,
        2,
        MAX_RETRY_S,
    ]
