"""Signing in with a second factor."""

import pyotp
import pytest
from sqlalchemy import text

from shared.ledger.people.repository import FREE_ATTEMPTS
from tests.support.sign_in import PASSWORD


@pytest.fixture
def totp(make_person, signed_in):
    """A person's page, the authenticator that was turned on there, and its recovery codes."""
    page = signed_in(make_person(name="reader-1"))
    begun = page.post("/v1/session/totp").json()
    shown = pyotp.TOTP(begun["secret"])
    on = page.post("/v1/session/totp/confirm", json={"code": shown.now()})
    assert on.status_code == 200, on.text
    assert begun["uri"].startswith(
        "otpauth://totp/SERA:reader-1?secret=" + begun["secret"]
    )
    return page, shown, on.json()["recovery_codes"]


def forget_use(ledger):
    """As if the last code had been used some time ago."""
    with ledger.engine.begin() as connection:
        connection.execute(text("UPDATE people SET totp_step = totp_step - 2"))


def sign_in(client, **extra):
    return client.post(
        "/v1/session", json={"name": "reader-1", "password": PASSWORD, **extra}
    )


def test_with_an_authenticator_the_password_alone_opens_nothing(
    totp, browser, ledger, as_role
):
    _, shown, _ = totp
    forget_use(ledger)
    bare = sign_in(browser())
    wrong = sign_in(browser(), totp="000000x")
    assert [(a.status_code, a.json()["code"]) for a in (bare, wrong)] == [
        (401, "totp-needed"),
        (403, "totp-wrong"),
    ]
    assert "set-cookie" not in bare.headers
    assert sign_in(browser(), totp=shown.now()).json()["totp"] is True
    trail = as_role("operator").get("/v1/audit?limit=1000").json()
    assert [
        item["details"]["why"] for item in trail if item["event"] == "person.refused"
    ] == [
        "code-missing",
        "code",
    ]
    assert [row["event"] for row in trail if row["event"].startswith("totp")] == [
        "totp.on"
    ]


def test_a_used_code_is_refused_and_so_is_the_one_that_confirmed(totp, browser, ledger):
    _, shown, _ = totp
    with ledger.engine.connect() as connection:
        used_code = pyotp.HOTP(shown.secret).at(
            connection.scalar(text("SELECT totp_step FROM people"))
        )
    assert sign_in(browser(), totp=used_code).status_code == 403
    forget_use(ledger)
    code = shown.now()
    assert [sign_in(browser(), totp=code).status_code for _ in range(2)] == [201, 403]


def test_a_recovery_code_opens_once(totp, browser, ledger):
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


def test_wrong_codes_lock_and_a_missing_one_is_no_guess(totp, browser):
    *_, codes = totp
    assert [sign_in(browser()).status_code for _ in range(FREE_ATTEMPTS + 1)] == [
        401
    ] * (FREE_ATTEMPTS + 1)
    assert [
        sign_in(browser(), totp="000000x").status_code for _ in range(FREE_ATTEMPTS)
    ] == [403] * FREE_ATTEMPTS
    assert sign_in(browser(), totp=codes[0]).json()["code"] == "sign-in-locked"


def test_the_secret_is_kept_encrypted(totp, ledger):
    _, shown, _ = totp
    with ledger.engine.connect() as connection:
        stored = bytes(connection.scalar(text("SELECT totp_secret FROM people")))
    assert shown.secret.encode() not in stored


def test_an_authenticator_is_removed_with_the_password_and_a_code_only(totp, browser):
    page, _, codes = totp
    rows = [("wrong", codes[0], "password-wrong"), (PASSWORD, "000000x", "totp-wrong")]
    for password, code, problem in rows:
        answer = page.post(
            "/v1/session/totp/remove", json={"password": password, "code": code}
        )
        assert answer.json()["code"] == problem
    assert (
        page.post(
            "/v1/session/totp/remove", json={"password": PASSWORD, "code": codes[0]}
        ).status_code
        == 204
    )
    assert sign_in(browser()).json()["totp"] is False


def test_what_was_not_confirmed_is_not_asked_for(make_person, signed_in, browser):
    page = signed_in(make_person(name="reader-1"))
    early = page.post("/v1/session/totp/confirm", json={"code": "123456"})
    assert early.json()["code"] == "totp-not-begun"
    page.post("/v1/session/totp")
    assert (
        page.post("/v1/session/totp/confirm", json={"code": "000000x"}).json()["code"]
        == "totp-wrong"
    )
    assert sign_in(browser()).status_code == 201


def test_one_that_is_on_is_not_begun_anew(totp):
    page, *_ = totp
    assert page.post("/v1/session/totp").json()["code"] == "totp-on"


def test_an_administrators_reset_removes_it(totp, as_role, browser):
    admin = as_role("hospital_admin")
    (person,) = admin.get("/v1/people").json()
    assert person["totp_since"]
    body = admin.post(f"/v1/people/{person['id']}/reset").json()
    fields = {"name": "reader-1", "password": body["one_time_password"]}
    assert browser().post("/v1/session", json=fields).json()["totp"] is False


def test_a_key_has_no_authenticator(north):
    assert north.post("/v1/session/totp").json()["code"] == "no-session"
