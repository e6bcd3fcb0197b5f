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

    def set_limits(**limits):
        assert operator.patch("/v1/hospitals/north", json=limits).status_code == 200

    return set_limits


def check_refused(answer, code):
    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["retryable"]) == (
        429,
        code,
        True,
    )
    assert answer.headers["content-type"] == "application/problem+json"
    return int(answer.headers["Retry-After"])


def submit(client, number, **fields):
    return [client.post("/v1/cases", **form(**fields)) for _ in range(number)]


def set_tokens(ledger, tokens, seconds_ago=0.0):
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


def test_a_hospital_over_its_rate_limit_gets_a_retry_time(north, limited):
    limited(rate_per_minute=6)
    answers = submit(north, 6)
    assert [answer.status_code for answer in answers] == [202] * 5 + [429]
    assert 0 < check_refused(answers[-1], "rate-limited") <= 10
    assert "6 cases a minute" in answers[-1].json()["detail"]


def test_urgent_cases_have_a_reserve_of_the_rate_limit(north, limited):
    limited(rate_per_minute=6)
    submit(north, 6)
    assert submit(north, 1, priority="urgent")[0].status_code == 202
    check_refused(submit(north, 1, priority="urgent")[0], "rate-limited")


def test_a_refused_case_does_not_reduce_the_reserve(north, limited):
    limited(rate_per_minute=10)
    submit(north, 20)
    assert submit(north, 1, priority="urgent")[0].status_code == 202


def test_the_token_bucket_refills_up_to_one_minutes_rate(north, limited, ledger):
    limited(rate_per_minute=10)
    submit(north, 9)
    set_tokens(ledger, 0, seconds_ago=30)
    assert [answer.status_code for answer in submit(north, 5)] == [202] * 4 + [429]
    set_tokens(ledger, 0, seconds_ago=3600)
    assert [answer.status_code for answer in submit(north, 10)] == [202] * 9 + [429]


def test_a_clock_set_back_does_not_block_cases(north, limited, ledger):
    limited(rate_per_minute=10)
    submit(north, 1)
    set_tokens(ledger, 0, seconds_ago=-3600)
    assert submit(north, 1)[0].status_code == 202


def test_processes_share_one_token_bucket(north, limited, settings):
    limited(rate_per_minute=10)
    with (
        TestClient(create_app(settings), headers=north.headers) as other_process,
        ThreadPoolExecutor(4) as pool,
    ):
        clients = [north, other_process] * 8
        answers = list(
            pool.map(
                lambda client: client.post("/v1/cases", **form()).status_code, clients
            )
        )
    assert (answers.count(202), answers.count(429)) == (9, 7)


def test_open_cases_are_limited_and_a_finished_one_frees_a_place(north, limited):
    limited(inflight_quota=4)
    answers = submit(north, 4)
    assert [answer.status_code for answer in answers] == [202, 202, 202, 429]
    assert check_refused(answers[-1], "quota-reached") == DEFAULT_RETRY_S
    assert submit(north, 1, priority="urgent")[0].status_code == 202
    for answer in answers[:2]:
        assert (
            north.post(f"/v1/jobs/{answer.json()['job_id']}/cancel").status_code == 200
        )
    assert submit(north, 1)[0].status_code == 202


def test_the_retry_time_follows_the_processing_rate(north, limited, ledger):
    limited(inflight_quota=2)
    first = submit(north, 1)[0].json()
    with ledger.system_session("w1") as session:
        hospital = session.hospitals.find("north").id
    with ledger.engine.begin() as connection:
        connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        connection.execute(
            text(
                "INSERT INTO results (id, job_id, hospital_id, model_digest, body, created_at) "
                "SELECT gen_random_uuid(), :job, :hospital, n, '{}', clock_timestamp() - interval "
                "'50 s' "
                "FROM generate_series(1, 10) n"
            ),
            {"job": UUID(first["job_id"]), "hospital": hospital},
        )
    assert check_refused(submit(north, 1)[0], "quota-reached") in (5, 6)


def test_the_limit_of_one_hospital_does_not_affect_another(north, limited, as_role):
    limited(inflight_quota=1)
    submit(north, 1)
    check_refused(submit(north, 1)[0], "quota-reached")
    assert submit(as_role(hospital="south"), 1)[0].status_code == 202


def test_a_full_queue_refuses_all_but_urgent_cases(settings, make_key):
    small_queue = settings.model_copy(update={"max_queued": 2, "urgent_reserve": 0.5})
    headers = {"Authorization": f"Bearer {make_key()}"}
    with TestClient(create_app(small_queue), headers=headers) as north:
        admission = north.app.state.dependencies.acceptance.admission
        assert submit(north, 1)[0].status_code == 202
        admission._count_waiting.cache_clear()
        assert check_refused(submit(north, 1)[0], "queue-full") == DEFAULT_RETRY_S
        assert submit(north, 1, priority="urgent")[0].status_code == 202


def test_a_refusal_does_not_read_the_body(north, limited):
    limited(inflight_quota=1)
    assert submit(north, 1, priority="urgent")[0].status_code == 202
    answer = north.post(
        "/v1/cases",
        content=b"x" * 1000,
        headers={"Content-Type": "multipart/form-data"},
    )
    check_refused(answer, "quota-reached")


def test_a_refused_case_stores_no_object(north, limited, gateway):
    limited(rate_per_minute=2)
    image = png(7)
    assert submit(north, 1)[0].status_code == 202
    check_refused(submit(north, 1, image=image)[0], "rate-limited")
    objects = gateway.app.state.dependencies.objects
    assert not objects.exists(sha256(image).hexdigest())


def test_an_operator_sets_limits_and_the_hospital_sees_them(as_role, operator, north):
    administrator = as_role(Role.HOSPITAL_ADMIN)
    assert administrator.patch("/v1/hospital", json={"weight": 5}).status_code == 422
    assert (
        operator.patch(
            "/v1/hospitals/north", json={"weight": 5, "rate_per_minute": 60}
        ).status_code
        == 200
    )
    view = north.get("/v1/hospital").json()
    assert (
        view["weight"],
        view["rate_per_minute"],
        view["in_use"]["inflight_quota"],
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
    "limits",
    [
        {"weight": 0},
        {"weight": 11},
        {"rate_per_minute": 0},
        {"inflight_quota": 100_001},
    ],
)
def test_limits_outside_their_range_are_refused_with_the_range(operator, north, limits):
    answer = operator.patch("/v1/hospitals/north", json=limits)
    assert (answer.status_code, answer.json()["code"]) == (
        422,
        "setting-outside-limits",
    )


def test_the_urgent_reserve_is_rounded_up_and_leaves_one_place():
    assert [open_places(limit, 0.1) for limit in (1, 2, 10, 5000)] == [1, 1, 9, 4500]
    assert open_places(1, 0.0) == 1


def test_retry_times_are_whole_seconds_within_bounds():
    assert [retry_after_s(seconds) for seconds in (0, 0.2, 1.1, 1e9)] == [
        1,
        1,
        2,
        MAX_RETRY_S,
    ]
