"""Signing in by a provider of identities, which is a real one on loopback."""

import ssl
import time
from collections.abc import Callable, Iterator
from functools import cache
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from fastapi.testclient import TestClient
from joserfc.jwk import ECKey
from pydantic import ValidationError

from services.api.middleware.origin_policy import CSRF_HEADER, SESSION_COOKIE
from services.api.session.oidc import claim_values
from shared.domain.roles import Role
from shared.settings import Settings
from tests.support.app import create_app
from tests.support.builders import form
from tests.support.identity_provider import CLIENT, SECRET, Identities, identities

MAPPED = {"sera_role": "submitter", "sera_hospital": "north"}


AUTHORITIES = cache(ssl.create_default_context)
"""Whoever asks the provider reads all authorities' certificates each time, though it is on
loopback, without TLS."""


@pytest.fixture(autouse=True)
def authorities_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssl, "create_default_context", AUTHORITIES)


@pytest.fixture
def provider() -> Iterator[Identities]:
    with identities() as known:
        yield known


@pytest.fixture
def opened(settings, provider, ledger) -> Iterator[Callable[..., TestClient]]:
    """A browser at a gateway that trusts the provider; accounts are made at the first sign-in."""
    with ledger.system_session("test") as session:
        session.hospitals.ensure("north")
    fields = {
        "oidc_issuer": provider.issuer,
        "oidc_client_secret": SECRET,
        "oidc_create": True,
    }
    clients = []

    def opened(**overrides: object) -> TestClient:
        app = create_app(
            Settings(**settings.model_dump(exclude_unset=True) | fields | overrides)
        )
        client = TestClient(
            app, headers={"Origin": "http://testserver"}, follow_redirects=False
        )
        clients.append(client.__enter__())
        return client

    yield opened
    for client in clients:
        client.__exit__(None, None, None)


def leave(browser):
    """To the provider and back to the address that it sends the browser to."""
    away = browser.get("/v1/session/oidc")
    assert away.status_code == 303, away.text
    back = httpx2.get(away.headers["Location"]).headers["Location"]
    assert back.startswith("http://testserver/v1/session/oidc/callback?")
    return back


def arrive(browser) -> str:
    """Where the browser ends up."""
    return browser.get(
        leave(browser), headers={"Sec-Fetch-Site": "cross-site"}
    ).headers["Location"]


def refused(browser, code) -> bool:
    place = arrive(browser)
    assert SESSION_COOKIE not in browser.cookies
    return place == f"/sign-in?problem={code}"


def test_a_person_comes_by_the_provider_and_works_for_the_hospital_it_names(
    opened, provider, as_role
):
    provider.claims |= MAPPED
    browser = opened()
    assert arrive(browser) == "/"
    who = browser.get("/v1/session").json()
    assert (who["name"], who["role"], who["hospital"], who["must_change"]) == (
        "a.reader",
        "submitter",
        "north",
        False,
    )
    browser.headers[CSRF_HEADER] = who["csrf"]
    assert browser.post("/v1/cases", **form()).status_code == 202
    trail = as_role(Role.OPERATOR).get("/v1/audit").json()
    rows = [
        (item["event"], item["actor"])
        for item in trail
        if item["event"].startswith("person.")
    ]
    assert rows == [
        ("person.created", "gateway"),
        ("person.signed-in", f"person:{who['person_id']}"),
    ]


def test_a_person_is_known_again_by_issuer_and_subject_and_not_by_name(
    opened, provider
):
    provider.claims |= MAPPED
    browser = opened()
    arrive(browser)
    first = browser.get("/v1/session").json()
    provider.claims |= {"preferred_username": "another-name", "sera_role": "operator"}
    arrive(browser)
    body = browser.get("/v1/session").json()
    assert (body["person_id"], body["name"], body["role"]) == (
        first["person_id"],
        "a.reader",
        "submitter",
    )
    provider.claims |= {
        "sub": "subject-2",
        "preferred_username": "a.reader",
        "sera_role": "submitter",
    }
    arrive(browser)
    second_body = browser.get("/v1/session").json()
    assert (second_body["person_id"] != first["person_id"], second_body["name"]) == (
        True,
        "subject-2",
    )


def test_the_session_is_strict_and_the_way_there_is_lax_and_asks_with_pkce_state_and_nonce(
    opened, provider
):
    provider.claims |= MAPPED
    browser = opened()
    away = browser.get("/v1/session/oidc")
    asked = parse_qs(urlsplit(away.headers["Location"]).query)
    assert {"state", "nonce", "code_challenge", "redirect_uri"} <= set(asked)
    assert (asked["client_id"], asked["scope"]) == ([CLIENT], ["openid profile email"])
    assert {"HttpOnly", "SameSite=lax"} <= set(away.headers["set-cookie"].split("; "))
    cookies = browser.get(leave(browser)).headers.get_list("set-cookie")
    assert any(
        cookie.startswith(f"{SESSION_COOKIE}=") and "SameSite=strict" in cookie
        for cookie in cookies
    )


LIES = (
    {"nonce": "of another sign-in"},
    {"nonce": None},
    {"aud": "another-client"},
    {"aud": None},
    {"aud": ["another-client", CLIENT], "azp": "another-client"},
    {"iss": "https://another.example"},
    {"exp": int(time.time()) - 3600},
    {"exp": None},
    {"iat": int(time.time()) + 3600},
    {"sub": None},
)


def test_a_token_that_says_something_else_than_it_should_opens_nothing(
    opened, provider
):
    provider.claims |= MAPPED
    browser = opened()
    for lie in LIES:
        provider.tamper = lie
        assert refused(browser, "oidc-refused"), lie
    provider.tamper = {}
    assert arrive(browser) == "/"


def test_a_token_signed_by_somebody_else_opens_nothing(opened, provider):
    provider.claims |= MAPPED
    provider.signing = ECKey.generate_key("P-256", parameters={"kid": "one"})
    assert refused(opened(), "oidc-refused")


def test_a_token_signed_with_what_the_client_knows_opens_nothing(opened, provider):
    provider.claims |= MAPPED
    provider.signing = provider.shared_secret()
    provider.header = {"alg": "HS256"}
    assert refused(opened(), "oidc-refused")


def test_a_provider_may_change_its_keys(opened, provider):
    provider.claims |= MAPPED
    browser = opened()
    assert arrive(browser) == "/"
    provider.key = ECKey.generate_key("P-256", parameters={"kid": "two"})
    provider.header = {"alg": "ES256", "kid": "two"}
    assert arrive(browser) == "/"


def test_a_state_is_good_once_and_in_its_browser_only(opened, provider):
    provider.claims |= MAPPED
    browser = opened()
    back = leave(browser)
    other_browser = TestClient(browser.app, follow_redirects=False)
    assert other_browser.get(back).headers["Location"] == "/sign-in?problem=oidc-state"
    assert browser.get(back).headers["Location"] == "/"
    assert browser.get(back).headers["Location"] == "/sign-in?problem=oidc-state"
    forged = "/v1/session/oidc/callback?code=x&state=invented"
    assert browser.get(forged).headers["Location"] == "/sign-in?problem=oidc-state"


def test_a_code_that_the_provider_does_not_know_and_a_refusal_open_nothing(
    opened, provider
):
    browser = opened()
    for query in ("code=invented", "error=access_denied"):
        state = parse_qs(urlsplit(leave(browser)).query)["state"][0]
        answer = browser.get(f"/v1/session/oidc/callback?{query}&state={state}")
        assert answer.headers["Location"] == "/sign-in?problem=oidc-refused"
    assert "did not vouch for you" in browser.get("/sign-in?problem=oidc-refused").text
    assert (
        "<script>alert"
        not in browser.get("/sign-in?problem=<script>alert(1)</script>").text
    )


UNCLEAR = (
    {},
    {"sera_role": "submitter"},
    {"sera_hospital": "north"},
    {"sera_role": "submitter", "sera_hospital": "nowhere"},
    {"sera_role": "king", "sera_hospital": "north"},
    {"sera_role": ["submitter", "reader"], "sera_hospital": "north"},
    {"sera_role": {"submitter": True}, "sera_hospital": "north"},
)


def test_claims_that_name_no_one_role_and_hospital_make_nobody(
    opened, provider, ledger
):
    browser = opened()
    claims = provider.claims
    for claims_change in UNCLEAR:
        provider.claims = claims | claims_change
        assert refused(browser, "oidc-claims"), claims_change
    with ledger.system_session("test") as session:
        assert session.people.all() == []
        assert [hospital.name for hospital in session.hospitals.all()] == ["north"]


def test_the_claims_may_lie_deeper_and_among_others(opened, provider):
    provider.claims |= {"realm": {"roles": ["offline_access", "auditor"]}}
    browser = opened(oidc_role_claim="realm.roles")
    assert arrive(browser) == "/"
    assert browser.get("/v1/session").json()["role"] == "auditor"
    assert (
        claim_values({"a": {"b": "c"}}, "a.b.c")
        == claim_values({}, "a")
        == claim_values({"a": [1, None, " "]}, "a")
        == []
    )


def test_where_accounts_are_not_made_an_operator_makes_them_by_subject(
    opened, provider, make_key
):
    provider.claims |= MAPPED
    browser = opened(oidc_create=False)
    assert refused(browser, "oidc-nobody")
    key = {"Authorization": f"Bearer {make_key(Role.OPERATOR)}"}
    fields = {
        "name": "a.reader",
        "role": "reader",
        "hospital": "north",
        "subject": "subject-1",
    }
    body = browser.post("/v1/people", json=fields, headers=key).json()
    assert body["one_time_password"] is None
    assert arrive(browser) == "/"
    assert browser.get("/v1/session").json()["person_id"] == body["id"]
    answer = browser.post("/v1/people", json={**fields, "name": "another"}, headers=key)
    assert answer.json()["code"] == "name-taken"


def test_a_disabled_person_does_not_come_in_by_the_provider_either(
    opened, provider, make_key
):
    provider.claims |= MAPPED
    browser = opened()
    arrive(browser)
    person = browser.get("/v1/session").json()["person_id"]
    key = {"Authorization": f"Bearer {make_key(Role.OPERATOR)}"}
    assert browser.post(f"/v1/people/{person}/disable", headers=key).status_code == 200
    browser.cookies.clear()
    assert refused(browser, "oidc-disabled")


def test_who_comes_by_the_provider_has_no_password_to_guess(opened, provider):
    provider.claims |= MAPPED
    browser = opened()
    arrive(browser)
    browser.cookies.clear()
    for password in ("x", "None", "null"):
        answer = browser.post(
            "/v1/session", json={"name": "a.reader", "password": password}
        )
        assert (answer.status_code, answer.json()["code"]) == (401, "sign-in-refused")


def test_a_provider_that_is_away_or_another_is_said_to_be_so(opened, provider):
    browser = opened()
    provider.issuer = "https://another.example"
    assert (
        browser.get("/v1/session/oidc").headers["Location"]
        == "/sign-in?problem=oidc-refused"
    )
    removed = opened(oidc_issuer="http://127.0.0.1:1")
    assert (
        removed.get("/v1/session/oidc").headers["Location"]
        == "/sign-in?problem=unavailable"
    )


def test_without_a_provider_there_is_no_way_by_one_and_no_button(
    gateway, provider, opened, as_role
):
    assert gateway.get("/v1/session/oidc").json()["code"] == "oidc-off"
    assert "/v1/session/oidc" not in gateway.get("/sign-in").text
    assert "/v1/session/oidc" in opened().get("/sign-in").text
    fields = {"name": "auditor-1", "role": "auditor", "subject": "subject-1"}
    assert (
        as_role(Role.OPERATOR).post("/v1/people", json=fields).json()["code"]
        == "oidc-off"
    )


def test_an_address_sets_out_only_so_often(opened, provider):
    browser = opened(sign_ins_per_minute=2)
    statuses = [
        browser.get("/v1/session/oidc").headers["Location"].startswith(provider.issuer)
        for _ in range(3)
    ]
    assert statuses == [True, True, False]


@pytest.mark.parametrize(
    "issuer",
    [
        "http://login.example",
        "ftp://127.0.0.1",
        "login.example",
        "http://127.0.0.1.evil",
    ],
)
def test_a_provider_is_reached_over_tls_or_on_this_machine(issuer):
    with pytest.raises(ValidationError):
        Settings(oidc_issuer=issuer)
