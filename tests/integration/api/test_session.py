"""Sign-in with name and password, and the rights and the lifetime of a session."""

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
from tests.support.sign_in import (
    NEW_PASSWORD,
    PASSWORD,
    entered,
    events,
    move_clock,
    sign_in,
)


@pytest.fixture
def operator(as_role):
    return as_role(Role.OPERATOR)


def test_a_person_signs_in_submits_a_case_for_their_hospital_and_signs_out(
    browser, make_person, operator
):
    person = make_person(name="A.Reader")
    page = browser()
    session = entered(page, " a.READER ").json()
    assert (
        session["name"],
        session["role"],
        session["hospital"],
        session["must_change"],
    ) == (
        "a.reader",
        "submitter",
        "north",
        False,
    )
    assert page.get("/v1/session").json() == session
    assert page.post("/v1/cases", **form()).status_code == 202
    assert page.delete("/v1/session").status_code == 204
    assert SESSION_COOKIE not in page.cookies
    assert page.get("/v1/session").status_code == 401
    actor = f"person:{person.id}"
    audited = [
        (event["event"], event["actor"])
        for event in events(operator, "person.signed-in", "case.accepted")
    ]
    assert audited == [("person.signed-in", actor), ("case.accepted", actor)]
    (sign_out,) = events(operator, "person.signed-out")
    assert (sign_out["actor"], sign_out["details"]) == (
        actor,
        {"person": str(person.id)},
    )


def test_a_signed_out_session_is_refused_even_with_its_cookie(browser, make_person):
    make_person(name="reader-1")
    page = browser()
    entered(page, "reader-1")
    token = page.cookies[SESSION_COOKIE]
    page.delete("/v1/session")
    page.cookies.set(SESSION_COOKIE, token)
    assert page.get("/v1/session").status_code == 401


def test_the_cookie_is_http_only_and_same_site_strict(browser, make_person):
    make_person(name="reader-1")
    set_cookie = entered(browser(), "reader-1").headers["set-cookie"]
    assert set_cookie.startswith(f"{SESSION_COOKIE}=")
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(set_cookie.split("; ")[1:])
    assert "Domain" not in set_cookie
    assert "Secure" not in set_cookie


def test_behind_tls_the_cookie_is_secure_and_bound_to_the_host(settings, make_person):
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


def test_signing_in_starts_a_new_session_and_ends_the_previous_one(
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


def test_only_hashes_of_password_and_token_are_stored(browser, make_person, ledger):
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


CROSS_SITE_HEADERS = (
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


def test_a_cross_site_request_changes_nothing(as_person):
    page = as_person()
    for headers, code in CROSS_SITE_HEADERS:
        for method, path in (
            ("POST", "/v1/cases"),
            ("DELETE", "/v1/session"),
            ("PATCH", "/v1/hospital"),
        ):
            answer = page.request(method, path, headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (403, code), headers
        assert page.get("/v1/jobs", headers=headers).status_code == 200
    assert page.post("/v1/cases", **form()).status_code == 202


def test_a_request_without_an_origin_changes_nothing(as_person):
    page = as_person()
    del page.headers["Origin"]
    assert page.post("/v1/cases", **form()).json()["code"] == "cross-site"
    assert (
        page.post(
            "/v1/cases", **form(), headers={"Sec-Fetch-Site": "same-origin"}
        ).status_code
        == 202
    )


def test_signing_in_from_another_site_is_refused(browser, make_person):
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


def test_a_key_takes_precedence_over_a_session(as_person, make_key):
    page = as_person(Role.SUBMITTER, "north")
    headers = {"Authorization": f"Bearer {make_key(Role.READER, 'south')}"}
    session = page.get("/v1/session", headers=headers).json()
    assert (
        session["role"],
        session["hospital"],
        session["person_id"],
        session["csrf"],
    ) == (
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
    body = {"old": "x", "new": NEW_PASSWORD}
    for answer in (
        north.delete("/v1/session"),
        north.post("/v1/session/password", json=body),
    ):
        assert (answer.status_code, answer.json()["code"]) == (409, "no-session")


def test_a_session_expires_when_it_is_idle_and_after_its_lifetime(
    as_person, settings, ledger
):
    page = as_person()
    just_before_idle_s = settings.session_idle_min * 60 - 30
    for _ in range(3):
        move_clock(ledger, just_before_idle_s, "sessions")
        assert page.get("/v1/session").status_code == 200
    move_clock(ledger, just_before_idle_s + 60, "sessions")
    assert page.get("/v1/session").status_code == 401
    expired = as_person()
    with ledger.engine.begin() as connection:
        connection.execute(text("UPDATE sessions SET expires_at = clock_timestamp()"))
    assert expired.get("/v1/session").status_code == 401


def test_a_session_ends_if_the_clock_is_set_back_since_its_last_use(as_person, ledger):
    page = as_person()
    move_clock(ledger, -30, "sessions")
    assert page.get("/v1/session").status_code == 200
    move_clock(ledger, -3600, "sessions")
    assert page.get("/v1/session").status_code == 401


def test_a_session_ends_when_its_person_is_disabled_or_reset_or_changes_role(
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


def test_a_one_time_password_allows_only_its_change(operator, browser):
    account = operator.post(
        "/v1/people", json={"name": "new-1", "role": "reader", "hospital": None}
    )
    assert account.json()["code"] == "person-needs-hospital"
    account = operator.post(
        "/v1/people", json={"name": "auditor-1", "role": "auditor"}
    ).json()
    page = browser()
    assert (
        entered(page, "auditor-1", account["one_time_password"]).json()["must_change"]
        is True
    )
    refused = page.get("/v1/audit")
    assert (refused.status_code, refused.json()["code"]) == (
        403,
        "password-change-needed",
    )
    body = {"old": account["one_time_password"], "new": NEW_PASSWORD}
    for new, code in (
        (account["one_time_password"], "password-unchanged"),
        ("auditor-1-auditor-1", "password-guessable"),
    ):
        assert (
            page.post("/v1/session/password", json={**body, "new": new}).json()["code"]
            == code
        )
    session = page.post("/v1/session/password", json=body).json()
    assert session["must_change"] is False
    assert page.get("/v1/audit").status_code == 200
    assert (
        sign_in(browser(), "auditor-1", account["one_time_password"]).status_code == 401
    )
    assert sign_in(browser(), "auditor-1", NEW_PASSWORD).status_code == 201


def test_a_password_change_ends_other_sessions_and_renews_the_token_of_the_current_one(
    make_person, signed_in, operator
):
    person = make_person()
    current_page = signed_in(person)
    other_page = signed_in(person)
    old_token = current_page.cookies[SESSION_COOKIE]
    session = current_page.post(
        "/v1/session/password", json={"old": PASSWORD, "new": NEW_PASSWORD}
    ).json()
    current_page.cookies.delete(SESSION_COOKIE, domain="")
    current_page.headers[CSRF_HEADER] = session["csrf"]
    assert current_page.cookies[SESSION_COOKIE] != old_token
    assert current_page.post("/v1/cases", **form()).status_code == 202
    assert other_page.get("/v1/session").status_code == 401
    assert len(events(operator, "password.changed")) == 1


def test_the_last_use_of_a_session_is_stored_once_a_minute(as_person, ledger):
    page = as_person()

    def last_use():
        with ledger.engine.connect() as connection:
            return connection.scalar(text("SELECT seen_at FROM sessions"))

    first = last_use()
    page.get("/v1/session")
    assert last_use() == first
    move_clock(ledger, 61, "sessions")
    page.get("/v1/session")
    assert last_use() >= first
