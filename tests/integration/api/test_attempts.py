"""Failed sign-ins: answers, locks and limits."""

import threading

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from shared.domain.roles import Role
from shared.ledger.people.repository import FIRST_LOCK_S, FREE_ATTEMPTS, MAX_LOCK_S
from shared.security import passwords
from tests.support.app import create_app
from tests.support.sign_in import NEW_PASSWORD, entered, events, move_clock, sign_in


@pytest.fixture
def operator(as_role):
    return as_role(Role.OPERATOR)


def test_an_unknown_name_a_wrong_password_and_a_disabled_account_get_one_answer(
    browser, make_person, operator
):
    person = make_person(name="reader-1")
    disabled = make_person(name="reader-2")
    operator.post(f"/v1/people/{disabled.id}/disable")
    answers = [
        sign_in(browser(), *credentials)
        for credentials in (("reader-1", "wrong"), ("nobody", "wrong"), ("reader-2",))
    ]
    assert [answer.status_code for answer in answers] == [401, 401, 401]
    assert len({answer.text for answer in answers}) == 1
    assert {answer.json()["code"] for answer in answers} == {"sign-in-refused"}
    details = [event["details"] for event in events(operator, "person.refused")]
    assert details == [
        {"person": str(person.id), "why": "password"},
        {"why": "unknown"},
        {"person": str(disabled.id), "why": "disabled"},
    ]


def test_typed_names_and_passwords_are_not_audited(browser, make_person, operator):
    make_person(name="reader-1")
    sign_in(browser(), "my-own-password-typed-as-a-name", "typed-as-password")
    sign_in(browser(), "reader-1", "typed-as-password")
    assert "typed-as" not in operator.get("/v1/audit?limit=1000").text


def test_wrong_passwords_lock_a_name_for_longer_each_time_even_for_the_right_password(
    browser, make_person, ledger, operator
):
    person = make_person(name="reader-1")
    page = browser()
    assert [
        sign_in(page, "reader-1", "wrong").status_code for _ in range(FREE_ATTEMPTS)
    ] == [401] * FREE_ATTEMPTS
    for factor in (1, 2):
        locked = sign_in(page, "reader-1")
        assert (locked.status_code, locked.json()["code"]) == (429, "sign-in-locked")
        remaining_s = int(locked.headers["Retry-After"])
        assert factor * FIRST_LOCK_S - 20 <= remaining_s <= factor * FIRST_LOCK_S
        move_clock(ledger, remaining_s)
        assert sign_in(page, "reader-1", "wrong").status_code == 401
    move_clock(ledger, MAX_LOCK_S)
    assert sign_in(page, "reader-1").status_code == 201
    assert sign_in(page, "reader-1", "wrong").status_code == 401
    assert len(events(operator, "person.locked")) == 3
    assert events(operator, "person.locked")[0]["details"] == {"person": str(person.id)}


def test_a_lock_has_a_maximum_length(browser, make_person, ledger):
    make_person(name="reader-1")
    with ledger.engine.begin() as connection:
        connection.execute(text("UPDATE people SET failures = 1000000"))
    sign_in(browser(), "reader-1", "wrong")
    remaining_s = int(sign_in(browser(), "reader-1").headers["Retry-After"])
    assert MAX_LOCK_S - 20 <= remaining_s <= MAX_LOCK_S


def test_an_unknown_name_is_locked_like_a_known_one(browser, make_person):
    make_person(name="reader-1")
    page = browser()
    answers_by_name = {}
    for name in ("reader-1", "nobody"):
        answers = [sign_in(page, name, "wrong") for _ in range(FREE_ATTEMPTS + 1)]
        answers_by_name[name] = [
            (answer.status_code, answer.json()["code"]) for answer in answers
        ]
    assert answers_by_name["reader-1"] == answers_by_name["nobody"]
    assert answers_by_name["nobody"][-1] == (429, "sign-in-locked")


@pytest.mark.parametrize("name", ["reader-1", "nobody"])
def test_a_lock_of_a_clock_that_was_ahead_does_not_last_until_that_time(
    browser, make_person, ledger, name
):
    make_person(name="reader-1")
    page = browser()
    for _ in range(FREE_ATTEMPTS):
        sign_in(page, name, "wrong")
    assert sign_in(page, name, "wrong").status_code == 429
    with ledger.engine.begin() as connection:
        for table in ("people", "strangers"):
            connection.execute(
                text(
                    f"UPDATE {table} SET locked_until = locked_until + interval '1 day'"
                )
            )
    assert sign_in(page, name, "wrong").status_code == 401
    assert sign_in(page, name, "wrong").status_code == 429


def test_simultaneous_guesses_get_no_extra_attempts(browser, make_person, ledger):
    make_person(name="reader-1")
    pages = [browser() for _ in range(12)]
    statuses = []
    threads = [
        threading.Thread(
            target=lambda page=page: statuses.append(
                sign_in(page, "reader-1", "wrong").status_code
            )
        )
        for page in pages
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [401] * FREE_ATTEMPTS + [429] * (12 - FREE_ATTEMPTS)


def test_sign_ins_are_limited_for_each_address_whatever_the_names(
    settings, ledger, make_person
):
    make_person(name="reader-1")
    with TestClient(
        create_app(settings.model_copy(update={"sign_ins_per_minute": 3}))
    ) as page:
        assert [sign_in(page, f"nobody-{n}").status_code for n in range(3)] == [401] * 3
        refused = sign_in(page, "reader-1")
        assert (refused.status_code, refused.json()["code"]) == (
            429,
            "sign-in-too-often",
        )
        move_clock(ledger, int(refused.headers["Retry-After"]), "doorsteps")
        assert sign_in(page, "reader-1").status_code == 201


def test_guessing_the_current_password_in_a_session_locks_the_account(
    make_person, signed_in
):
    page = signed_in(make_person())
    answers = [
        page.post("/v1/session/password", json={"old": "wrong", "new": NEW_PASSWORD})
        for _ in range(FREE_ATTEMPTS + 1)
    ]
    assert [answer.json()["code"] for answer in answers] == [
        "password-wrong"
    ] * FREE_ATTEMPTS + ["sign-in-locked"]


def test_a_hash_with_old_parameters_is_renewed_at_the_next_sign_in(
    browser, make_person, ledger
):
    make_person(name="reader-1")
    with ledger.engine.connect() as connection:
        for stale in (True, False):
            stored_hash = connection.scalar(text("SELECT password_hash FROM people"))
            assert passwords.needs_rehash(stored_hash) is stale
            connection.rollback()
            entered(browser(), "reader-1")


def test_a_sign_in_body_must_be_small_and_state_its_length(browser):
    page = browser()
    too_large = page.post("/v1/session", json={"name": "x", "password": "y" * 20_000})
    chunked = page.post("/v1/session", content=iter([b"{}"]))
    assert [too_large.status_code, chunked.status_code] == [413, 413]


def test_an_invalid_sign_in_body_gets_422(browser):
    page = browser()
    for body in (
        {"name": "a\x00b", "password": "x"},
        {"name": "a", "password": ""},
        {"name": "a"},
        {"password": "x"},
    ):
        assert page.post("/v1/session", json=body).status_code == 422


def test_a_flood_of_sign_ins_gets_a_retry_time(gateway, make_person, browser, ledger):
    make_person(name="reader-1")
    hashers = gateway.app.state.dependencies.password_hashers
    hashers._max_pending = 0
    answer = sign_in(browser(), "reader-1")
    assert (answer.status_code, answer.json()["code"]) == (429, "sign-in-busy")
    assert int(answer.headers["Retry-After"]) > 0
    with ledger.system_session("test") as session:
        assert session.people.all()[0].failures == 0
    hashers._max_pending = 1
    assert sign_in(browser(), "reader-1").status_code == 201
