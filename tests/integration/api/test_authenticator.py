"""Signing in with a second factor."""

import pyotp
import pytest
from sqlalchemy import text

from shared.ledger.people.repository import FREE_ATTEMPTS
from tests.support.sign_in import PASSWORD


@pytest.fixture
def totp(make_person, signed_in):
    """A person's client, their confirmed authenticator, and its recovery codes."""
    page = signed_in(make_person(name="reader-1"))
    setup = page.post("/v1/session/totp").json()
    authenticator = pyotp.TOTP(setup["secret"])
    confirmation = page.post(
        "/v1/session/totp/confirm", json={"code": authenticator.now()}
    )
    assert confirmation.status_code == 200, confirmation.text
    assert setup["uri"].startswith(
        "otpauth://totp/SERA:reader-1?secret=" + setup["secret"]
    )
    return page, authenticator, confirmation.json()["recovery_codes"]


def age_last_code(ledger):
    """Move the last use of a code into the past, so that the current code is accepted."""
    with ledger.engine.begin() as connection:
        connection.execute(text("UPDATE people SET totp_step = totp_step - 2"))


def sign_in(client, **extra):
    return client.post(
        "/v1/session", json={"name": "reader-1", "password": PASSWORD, **extra}
    )


def test_with_an_authenticator_the_password_alone_does_not_sign_in(
    totp, browser, ledger, as_role
):
    _, authenticator, _ = totp
    age_last_code(ledger)
    without_code = sign_in(browser())
    wrong_code = sign_in(browser(), totp="000000x")
    assert [
        (answer.status_code, answer.json()["code"])
        for answer in (without_code, wrong_code)
    ] == [
        (401, "totp-needed"),
        (403, "totp-wrong"),
    ]
    assert "set-cookie" not in without_code.headers
    assert sign_in(browser(), totp=authenticator.now()).json()["totp"] is True
    trail = as_role("operator").get("/v1/audit?limit=1000").json()
    assert [
        event["details"]["why"] for event in trail if event["event"] == "person.refused"
    ] == [
        "code-missing",
        "code",
    ]
    assert [event["event"] for event in trail if event["event"].startswith("totp")] == [
        "totp.on"
    ]


def test_a_used_code_is_refused_including_the_confirmation_code(totp, browser, ledger):
    _, authenticator, _ = totp
    with ledger.engine.connect() as connection:
        used_code = pyotp.HOTP(authenticator.secret).at(
            connection.scalar(text("SELECT totp_step FROM people"))
        )
    assert sign_in(browser(), totp=used_code).status_code == 403
    age_last_code(ledger)
    code = authenticator.now()
    assert [sign_in(browser(), totp=code).status_code for _ in range(2)] == [201, 403]


def test_a_recovery_code_works_once(totp, browser, ledger):
    *_, codes = totp
    assert [
        sign_in(browser(), totp=code).status_code
        for code in (codes[3], codes[3], codes[4].upper())
    ] == [
        201,
        403,
        201,
    ]
    with ledger.engine.connect() as connection:
        stored = connection.scalar(text("SELECT recovery FROM people"))
    assert len(codes) == 10
    assert len(stored) == 8
    assert codes[5] not in str(stored)


def test_wrong_codes_lock_the_account_and_missing_codes_do_not(totp, browser):
    *_, codes = totp
    assert [sign_in(browser()).status_code for _ in range(FREE_ATTEMPTS + 1)] == [
        401
    ] * (FREE_ATTEMPTS + 1)
    assert [
        sign_in(browser(), totp="000000x").status_code for _ in range(FREE_ATTEMPTS)
    ] == [403] * FREE_ATTEMPTS
    assert sign_in(browser(), totp=codes[0]).json()["code"] == "sign-in-locked"


def test_the_secret_is_stored_encrypted(totp, ledger):
    _, authenticator, _ = totp
    with ledger.engine.connect() as connection:
        stored = bytes(connection.scalar(text("SELECT totp_secret FROM people")))
    assert authenticator.secret.encode() not in stored


def test_removing_an_authenticator_needs_the_password_and_a_code(totp, browser):
    page, _, codes = totp
    attempts = [
        ("wrong", codes[0], "password-wrong"),
        (PASSWORD, "000000x", "totp-wrong"),
    ]
    for password, code, error_code in attempts:
        answer = page.post(
            "/v1/session/totp/remove", json={"password": password, "code": code}
        )
        assert answer.json()["code"] == error_code
    assert (
        page.post(
            "/v1/session/totp/remove", json={"password": PASSWORD, "code": codes[0]}
        ).status_code
        == 204
    )
    assert sign_in(browser()).json()["totp"] is False


def test_an_unconfirmed_authenticator_is_not_required(make_person, signed_in, browser):
    page = signed_in(make_person(name="reader-1"))
    early = page.post("/v1/session/totp/confirm", json={"code": "123456"})
    assert early.json()["code"] == "totp-not-begun"
    page.post("/v1/session/totp")
    assert (
        page.post("/v1/session/totp/confirm", json={"code": "000000x"}).json()["code"]
        == "totp-wrong"
    )
    assert sign_in(browser()).status_code == 201


def test_an_active_authenticator_cannot_be_set_up_again(totp):
    page, *_ = totp
    assert page.post("/v1/session/totp").json()["code"] == "totp-on"


def test_an_administrators_reset_removes_the_authenticator(totp, as_role, browser):
    admin = as_role("hospital_admin")
    (person,) = admin.get("/v1/people").json()
    assert person["totp_since"]
    reset = admin.post(f"/v1/people/{person['id']}/reset").json()
    fields = {"name": "reader-1", "password": reset["one_time_password"]}
    assert browser().post("/v1/session", json=fields).json()["totp"] is False


def test_an_api_key_has_no_authenticator(north):
    assert north.post("/v1/session/totp").json()["code"] == "no-session"
