"""Signing in with a name and a password, and what a session may and may not."""

import threading

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from services.api.middleware.origin_policy import (
    CSRF_HEADER,
    SESSION_COOKIE,
    csrf_token,
)
from shared.domain.roles import Role
from tests.support.app import create_app
from tests.support.builders import form
from tests.support.sign_in import NEW, PASSWORD, entered, events, move_clock, sign_in


@pytest.fixture
def operator(as_role):
    return as_role(Role.OPERATOR)


def test_a_person_signs_in_works_for_their_hospital_and_signs_out(
    browser, make_person, operator
):
    person = make_person(name="A.Reader")
    page = browser()
    who = entered(page, " a.READER ").json()
    assert (who["name"], who["role"], who["hospital"], who["must_change"]) == (
        "a.reader",
        "submitter",
        "north",
        False,
    )
    assert page.get("/v1/session").json() == who
    assert page.post("/v1/cases", **form()).status_code == 202
    assert page.delete("/v1/session").status_code == 204
    assert SESSION_COOKIE not in page.cookies
    assert page.get("/v1/session").status_code == 401
    actor = f"person:{person.id}"
    rows = [
        (event["event"], event["actor"])
        for event in events(operator, "person.signed-in", "case.accepted")
    ]
    assert rows == [("person.signed-in", actor), ("case.accepted", actor)]
    (out,) = events(operator, "person.signed-out")
    assert (out["actor"], out["details"]) == (actor, {"person": str(person.id)})


def test_a_signed_out_session_is_refused_even_with_its_cookie(browser, make_person):
    make_person(name="reader-1")
    page = browser()
    entered(page, "reader-1")
    token = page.cookies[SESSION_COOKIE]
    page.delete("/v1/session")
    page.cookies.set(SESSION_COOKIE, token)
    assert page.get("/v1/session").status_code == 401


def test_the_cookie_is_out_of_reach_of_scripts_and_of_other_sites(browser, make_person):
    make_person(name="reader-1")
    set_cookie = entered(browser(), "reader-1").headers["set-cookie"]
    assert set_cookie.startswith(f"{SESSION_COOKIE}=")
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(set_cookie.split("; ")[1:])
    assert "Domain" not in set_cookie
    assert "Secure" not in set_cookie


def test_behind_tls_the_cookie_is_this_hosts_own_and_crosses_no_plain_line(
    settings, make_person
):
    make_person(name="reader-1")
    app = create_app(settings.model_copy(update={"public_url": "https://sera.example"}))
    with TestClient(
        app, base_url="https://sera.example", headers={"Origin": "https://sera.example"}
    ) as page:
        set_cookie = entered(page, "reader-1").headers["set-cookie"]
        assert set_cookie.startswith("__Host-sera=")
        assert {"Secure", "HttpOnly", "SameSite=strict", "Path=/"} <= set(
            set_cookie.split("; ")[1:]
        )
        assert page.post("/v1/cases", **form()).status_code == 202
        assert (
            page.post(
                "/v1/cases", **form(), headers={"Origin": "http://sera.example"}
            ).status_code
            == 403
        )


def test_a_session_is_new_after_signing_in_and_the_one_before_has_ended(
    browser, make_person
):
    make_person(name="reader-1")
    page = browser()
    page.cookies.set(
        SESSION_COOKIE, "chosen-by-somebody-else", domain="testserver.local"
    )
    entered(page, "reader-1")
    first = page.cookies[SESSION_COOKIE]
    assert first != "chosen-by-somebody-else"
    entered(page, "reader-1")
    second = page.cookies[SESSION_COOKIE]
    assert second != first
    other_browser = browser()
    other_browser.cookies.set(SESSION_COOKIE, first)
    assert other_browser.get("/v1/session").status_code == 401


def test_only_hashes_of_password_and_token_are_kept(browser, make_person, ledger):
    make_person(name="reader-1")
    page = browser()
    entered(page, "reader-1")
    with ledger.engine.connect() as connection:
        stored = str(
            connection.execute(text("SELECT * FROM people")).all()
            + connection.execute(text("SELECT * FROM sessions")).all()
        )
    assert PASSWORD not in stored
    assert page.cookies[SESSION_COOKIE] not in stored


FOREIGN = (
    ({CSRF_HEADER: ""}, "csrf-token-wrong"),
    ({CSRF_HEADER: csrf_token("another session")}, "csrf-token-wrong"),
    ({CSRF_HEADER: "é".encode()}, "csrf-token-wrong"),
    ({"Origin": "https://elsewhere.example"}, "cross-site"),
    ({"Origin": "null"}, "cross-site"),
    ({"Origin": "http://testserver:81"}, "cross-site"),
    ({"Sec-Fetch-Site": "cross-site"}, "cross-site"),
    ({"Sec-Fetch-Site": "same-site"}, "cross-site"),
    ({"Sec-Fetch-Site": "none"}, "cross-site"),
)


def test_what_no_page_of_ours_sent_changes_nothing(as_person):
    page = as_person()
    for headers, code in FOREIGN:
        for method, path in (
            ("POST", "/v1/cases"),
            ("DELETE", "/v1/session"),
            ("PATCH", "/v1/hospital"),
        ):
            answer = page.request(method, path, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (403, code), headers
        assert page.get("/v1/jobs", headers=headers).status_code == 200
    assert page.post("/v1/cases", **form()).status_code == 202


def test_a_request_that_says_nothing_of_where_it_comes_from_changes_nothing(as_person):
    page = as_person()
    del page.headers["Origin"]
    assert page.post("/v1/cases", **form()).json()["code"] == "cross-site"
    assert (
        page.post(
            "/v1/cases", **form(), headers={"Sec-Fetch-Site": "same-origin"}
        ).status_code
        == 202
    )


def test_no_other_site_signs_anybody_in(browser, make_person):
    make_person(name="reader-1")
    for headers in (
        {"Origin": "https://elsewhere.example"},
        {"Sec-Fetch-Site": "cross-site"},
    ):
        page = browser()
        page.headers.update(headers)
        answer = sign_in(page, "reader-1")
        assert (answer.status_code, answer.json()["code"]) == (403, "cross-site")
        assert "set-cookie" not in answer.headers


def test_where_both_come_the_key_speaks_and_the_session_is_not_looked_at(
    as_person, make_key
):
    page = as_person(Role.SUBMITTER, "north")
    key = {"Authorization": f"Bearer {make_key(Role.READER, 'south')}"}
    who = page.get("/v1/session", headers=key).json()
    assert (who["role"], who["hospital"], who["person_id"], who["csrf"]) == (
        "reader",
        "south",
        None,
        None,
    )
    assert (
        page.get("/v1/session", headers={"Authorization": "Bearer wrong"}).status_code
        == 401
    )


def test_a_key_has_no_session_to_end_and_no_password_to_change(north):
    body = {"old": "x", "new": NEW}
    for answer in (
        north.delete("/v1/session"),
        north.post("/v1/session/password", json=body),
    ):
        assert (answer.status_code, answer.json()["code"]) == (409, "no-session")


def test_a_session_ends_when_it_is_not_used_and_lasts_no_longer_than_it_may(
    as_person, settings, ledger
):
    page = as_person()
    almost = settings.session_idle_min * 60 - 30
    for _ in range(3):
        move_clock(ledger, almost, "sessions")
        assert page.get("/v1/session").status_code == 200
    move_clock(ledger, almost + 60, "sessions")
    assert page.get("/v1/session").status_code == 401
    worn = as_person()
    with ledger.engine.begin() as connection:
        connection.execute(text("UPDATE sessions SET expires_at = clock_timestamp()"))
    assert worn.get("/v1/session").status_code == 401


def test_a_persons_session_ends_at_once_when_they_are_disabled_reset_or_given_another_role(
    make_person, signed_in, operator
):
    for method, path, body in (
        ("PATCH", "", {"role": "reader"}),
        ("POST", "/reset", None),
        ("POST", "/disable", None),
    ):
        person = make_person()
        page = signed_in(person)
        assert page.get("/v1/jobs").status_code == 200
        assert (
            operator.request(
                method, f"/v1/people/{person.id}{path}", json=body
            ).status_code
            == 200
        )
        assert page.get("/v1/jobs").status_code == 401


def test_a_stream_and_a_long_poll_end_with_their_session(
    make_person, signed_in, operator, as_role
):
    person = make_person()
    page = signed_in(person)
    job = page.post("/v1/cases", **form()).json()["job_id"]
    timer = threading.Timer(0.2, operator.post, [f"/v1/people/{person.id}/disable"])
    timer.start()
    assert page.get(f"/v1/jobs/{job}/events").text.count("event: job") == 1
    timer.join()
    operator.post(f"/v1/people/{person.id}/enable")
    page = signed_in(person)
    timer = threading.Timer(0.2, operator.post, [f"/v1/people/{person.id}/disable"])
    timer.start()
    assert page.get(f"/v1/jobs/{job}?wait=20").status_code == 401
    timer.join()


def test_with_a_one_time_password_nothing_but_its_change_is_done(operator, browser):
    answer = operator.post(
        "/v1/people", json={"name": "new-1", "role": "reader", "hospital": None}
    )
    assert answer.json()["code"] == "person-needs-hospital"
    answer = operator.post(
        "/v1/people", json={"name": "auditor-1", "role": "auditor"}
    ).json()
    page = browser()
    assert (
        entered(page, "auditor-1", answer["one_time_password"]).json()["must_change"]
        is True
    )
    shut = page.get("/v1/audit")
    assert (shut.status_code, shut.json()["code"]) == (403, "password-change-needed")
    body = {"old": answer["one_time_password"], "new": NEW}
    for new, code in (
        (answer["one_time_password"], "password-unchanged"),
        ("auditor-1-auditor-1", "password-guessable"),
    ):
        assert (
            page.post("/v1/session/password", json={**body, "new": new}).json()["code"]
            == code
        )
    who = page.post("/v1/session/password", json=body).json()
    assert who["must_change"] is False
    assert page.get("/v1/audit").status_code == 200
    assert (
        sign_in(browser(), "auditor-1", answer["one_time_password"]).status_code == 401
    )
    assert sign_in(browser(), "auditor-1", NEW).status_code == 201


def test_a_changed_password_ends_the_other_sessions_and_this_one_goes_on_under_a_new_token(
    make_person, signed_in, operator
):
    person = make_person()
    this_browser = signed_in(person)
    other_page = signed_in(person)
    old_token = this_browser.cookies[SESSION_COOKIE]
    who = this_browser.post(
        "/v1/session/password", json={"old": PASSWORD, "new": NEW}
    ).json()
    this_browser.cookies.delete(SESSION_COOKIE, domain="")
    this_browser.headers[CSRF_HEADER] = who["csrf"]
    assert this_browser.cookies[SESSION_COOKIE] != old_token
    assert this_browser.post("/v1/cases", **form()).status_code == 202
    assert other_page.get("/v1/session").status_code == 401
    assert len(events(operator, "password.changed")) == 1


def test_a_session_remembers_when_it_was_used_to_a_minute(as_person, ledger):
    page = as_person()

    def view():
        with ledger.engine.connect() as connection:
            return connection.scalar(text("SELECT seen_at FROM sessions"))

    first = view()
    page.get("/v1/session")
    assert view() == first
    move_clock(ledger, 61, "sessions")
    page.get("/v1/session")
    assert view() >= first
