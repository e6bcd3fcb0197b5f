"""Sign-in through an OpenID Connect provider, which runs on loopback."""

import ssl
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import cache
from itertools import islice
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

CLAIMS = {"sera_role": "submitter", "sera_hospital": "north"}
SIMULTANEOUS_SIGN_INS = 80
"""More than the gateway has threads."""
ENOUGH_REFUSED = 40
ANSWER_S = 60.0

LOAD_AUTHORITIES = cache(ssl.create_default_context)
"""Reads the certificates of all authorities once.

The HTTP client would read them for every request, although the provider has no TLS."""


@pytest.fixture(autouse=True)
def cached_authorities(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssl, "create_default_context", LOAD_AUTHORITIES)


@pytest.fixture
def provider() -> Iterator[Identities]:
    with identities() as identity_provider:
        yield identity_provider


@pytest.fixture
def open_browser(settings, provider, ledger) -> Iterator[Callable[..., TestClient]]:
    """Creates a browser of a gateway that trusts the provider and creates accounts at sign-in."""
    with ledger.system_session("test") as session:
        session.hospitals.ensure("north")
    fields = {
        "oidc_issuer": provider.issuer,
        "oidc_client_secret": SECRET,
        "oidc_create": True,
    }
    clients = []

    def open_browser(**overrides: object) -> TestClient:
        app = create_app(
            Settings(**settings.model_dump(exclude_unset=True) | fields | overrides)
        )
        client = TestClient(
            app, headers={"Origin": "http://testserver"}, follow_redirects=False
        )
        clients.append(client.__enter__())
        return client

    yield open_browser
    for client in clients:
        client.__exit__(None, None, None)


def redirect_to_provider(browser):
    """Start a sign-in and return the callback address that the provider redirects to."""
    redirect = browser.get("/v1/session/oidc")
    assert redirect.status_code == 303, redirect.text
    callback = httpx2.get(redirect.headers["Location"]).headers["Location"]
    assert callback.startswith("http://testserver/v1/session/oidc/callback?")
    return callback


def complete_sign_in(browser) -> str:
    """Sign in through the provider and return the final location."""
    return browser.get(
        redirect_to_provider(browser), headers={"Sec-Fetch-Site": "cross-site"}
    ).headers["Location"]


def is_refused(browser, code) -> bool:
    location = complete_sign_in(browser)
    assert SESSION_COOKIE not in browser.cookies
    return location == f"/sign-in?problem={code}"


def test_a_person_signs_in_through_the_provider_for_the_hospital_in_the_claims(
    open_browser, provider, as_role
):
    provider.claims |= CLAIMS
    browser = open_browser()
    assert complete_sign_in(browser) == "/"
    session = browser.get("/v1/session").json()
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
    browser.headers[CSRF_HEADER] = session["csrf"]
    assert browser.post("/v1/cases", **form()).status_code == 202
    trail = as_role(Role.OPERATOR).get("/v1/audit").json()
    events = [
        (event["event"], event["actor"])
        for event in trail
        if event["event"].startswith("person.")
    ]
    assert events == [
        ("person.created", "gateway"),
        ("person.signed-in", f"person:{session['person_id']}"),
    ]


def test_a_person_is_identified_by_issuer_and_subject_and_not_by_name(
    open_browser, provider
):
    provider.claims |= CLAIMS
    browser = open_browser()
    complete_sign_in(browser)
    first = browser.get("/v1/session").json()
    provider.claims |= {"preferred_username": "another-name", "sera_role": "operator"}
    complete_sign_in(browser)
    repeat = browser.get("/v1/session").json()
    assert (repeat["person_id"], repeat["name"], repeat["role"]) == (
        first["person_id"],
        "a.reader",
        "submitter",
    )
    provider.claims |= {
        "sub": "subject-2",
        "preferred_username": "a.reader",
        "sera_role": "submitter",
    }
    complete_sign_in(browser)
    other_subject = browser.get("/v1/session").json()
    assert (
        other_subject["person_id"] != first["person_id"],
        other_subject["name"],
    ) == (
        True,
        "subject-2",
    )


def test_the_redirect_uses_pkce_state_and_nonce_and_only_its_own_cookie_is_lax(
    open_browser, provider
):
    provider.claims |= CLAIMS
    browser = open_browser()
    redirect = browser.get("/v1/session/oidc")
    parameters = parse_qs(urlsplit(redirect.headers["Location"]).query)
    assert {"state", "nonce", "code_challenge", "redirect_uri"} <= set(parameters)
    assert (parameters["client_id"], parameters["scope"]) == (
        [CLIENT],
        ["openid profile email"],
    )
    assert {"HttpOnly", "SameSite=lax"} <= set(
        redirect.headers["set-cookie"].split("; ")
    )
    cookies = browser.get(redirect_to_provider(browser)).headers.get_list("set-cookie")
    assert any(
        cookie.startswith(f"{SESSION_COOKIE}=") and "SameSite=strict" in cookie
        for cookie in cookies
    )


WRONG_CLAIMS = (
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


def test_a_token_with_a_wrong_claim_is_refused(open_browser, provider):
    provider.claims |= CLAIMS
    browser = open_browser()
    for wrong_claim in WRONG_CLAIMS:
        provider.tamper = wrong_claim
        assert is_refused(browser, "oidc-refused"), wrong_claim
    provider.tamper = {}
    assert complete_sign_in(browser) == "/"


def test_a_token_signed_with_a_foreign_key_is_refused(open_browser, provider):
    provider.claims |= CLAIMS
    provider.signing = ECKey.generate_key("P-256", parameters={"kid": "one"})
    assert is_refused(open_browser(), "oidc-refused")


def test_a_token_signed_with_the_client_secret_is_refused(open_browser, provider):
    provider.claims |= CLAIMS
    provider.signing = provider.shared_secret()
    provider.header = {"alg": "HS256"}
    assert is_refused(open_browser(), "oidc-refused")


def test_a_provider_may_change_its_keys(open_browser, provider):
    provider.claims |= CLAIMS
    browser = open_browser()
    assert complete_sign_in(browser) == "/"
    provider.key = ECKey.generate_key("P-256", parameters={"kid": "two"})
    provider.header = {"alg": "ES256", "kid": "two"}
    assert complete_sign_in(browser) == "/"


def test_a_state_is_valid_once_and_in_its_own_browser_only(open_browser, provider):
    provider.claims |= CLAIMS
    browser = open_browser()
    callback = redirect_to_provider(browser)
    other_browser = TestClient(browser.app, follow_redirects=False)
    assert (
        other_browser.get(callback).headers["Location"] == "/sign-in?problem=oidc-state"
    )
    assert browser.get(callback).headers["Location"] == "/"
    assert browser.get(callback).headers["Location"] == "/sign-in?problem=oidc-state"
    forged = "/v1/session/oidc/callback?code=x&state=invented"
    assert browser.get(forged).headers["Location"] == "/sign-in?problem=oidc-state"


def test_an_unknown_code_and_a_refusal_by_the_provider_are_refused(
    open_browser, provider
):
    browser = open_browser()
    for query in ("code=invented", "error=access_denied"):
        state = parse_qs(urlsplit(redirect_to_provider(browser)).query)["state"][0]
        answer = browser.get(f"/v1/session/oidc/callback?{query}&state={state}")
        assert answer.headers["Location"] == "/sign-in?problem=oidc-refused"
    assert "did not vouch for you" in browser.get("/sign-in?problem=oidc-refused").text
    assert (
        "<script>alert"
        not in browser.get("/sign-in?problem=<script>alert(1)</script>").text
    )


UNUSABLE_CLAIMS = (
    {},
    {"sera_role": "submitter"},
    {"sera_hospital": "north"},
    {"sera_role": "submitter", "sera_hospital": "nowhere"},
    {"sera_role": "king", "sera_hospital": "north"},
    {"sera_role": ["submitter", "reader"], "sera_hospital": "north"},
    {"sera_role": {"submitter": True}, "sera_hospital": "north"},
)


def test_claims_without_exactly_one_role_and_hospital_create_no_account(
    open_browser, provider, ledger
):
    browser = open_browser()
    claims = provider.claims
    for claims_change in UNUSABLE_CLAIMS:
        provider.claims = claims | claims_change
        assert is_refused(browser, "oidc-claims"), claims_change
    with ledger.system_session("test") as session:
        assert session.people.all() == []
        assert [hospital.name for hospital in session.hospitals.all()] == ["north"]


def test_a_claim_may_be_nested_and_in_a_list(open_browser, provider):
    provider.claims |= {"realm": {"roles": ["offline_access", "auditor"]}}
    browser = open_browser(oidc_role_claim="realm.roles")
    assert complete_sign_in(browser) == "/"
    assert browser.get("/v1/session").json()["role"] == "auditor"
    assert (
        claim_values({"a": {"b": "c"}}, "a.b.c")
        == claim_values({}, "a")
        == claim_values({"a": [1, None, " "]}, "a")
        == []
    )


def test_without_automatic_accounts_an_operator_creates_them_by_subject(
    open_browser, provider, make_key
):
    provider.claims |= CLAIMS
    browser = open_browser(oidc_create=False)
    assert is_refused(browser, "oidc-nobody")
    headers = {"Authorization": f"Bearer {make_key(Role.OPERATOR)}"}
    fields = {
        "name": "a.reader",
        "role": "reader",
        "hospital": "north",
        "subject": "subject-1",
    }
    person = browser.post("/v1/people", json=fields, headers=headers).json()
    assert person["one_time_password"] is None
    assert complete_sign_in(browser) == "/"
    assert browser.get("/v1/session").json()["person_id"] == person["id"]
    answer = browser.post(
        "/v1/people", json={**fields, "name": "another"}, headers=headers
    )
    assert answer.json()["code"] == "name-taken"


def test_a_disabled_person_cannot_sign_in_through_the_provider(
    open_browser, provider, make_key
):
    provider.claims |= CLAIMS
    browser = open_browser()
    complete_sign_in(browser)
    person = browser.get("/v1/session").json()["person_id"]
    headers = {"Authorization": f"Bearer {make_key(Role.OPERATOR)}"}
    assert (
        browser.post(f"/v1/people/{person}/disable", headers=headers).status_code == 200
    )
    browser.cookies.clear()
    assert is_refused(browser, "oidc-disabled")


def test_an_account_of_the_provider_has_no_password(open_browser, provider):
    provider.claims |= CLAIMS
    browser = open_browser()
    complete_sign_in(browser)
    browser.cookies.clear()
    for password in ("x", "None", "null"):
        answer = browser.post(
            "/v1/session", json={"name": "a.reader", "password": password}
        )
        assert (answer.status_code, answer.json()["code"]) == (401, "sign-in-refused")


def test_an_unavailable_provider_and_a_wrong_issuer_are_reported(
    open_browser, provider
):
    browser = open_browser()
    provider.issuer = "https://another.example"
    assert (
        browser.get("/v1/session/oidc").headers["Location"]
        == "/sign-in?problem=oidc-refused"
    )
    unavailable = open_browser(oidc_issuer="http://127.0.0.1:1")
    assert (
        unavailable.get("/v1/session/oidc").headers["Location"]
        == "/sign-in?problem=unavailable"
    )


def test_a_silent_provider_keeps_nobody_else_from_an_answer(
    open_browser, provider, make_key
):
    headers = {"Authorization": f"Bearer {make_key()}"}
    browser = open_browser(sign_ins_per_minute=10_000)
    with ThreadPoolExecutor(SIMULTANEOUS_SIGN_INS) as pool:
        with provider.silent():
            sign_ins = [
                pool.submit(browser.get, "/v1/session/oidc")
                for _ in range(SIMULTANEOUS_SIGN_INS)
            ]
            refused = list(islice(as_completed(sign_ins, ANSWER_S), ENOUGH_REFUSED))
            session = pool.submit(browser.get, "/v1/session", headers=headers)
            assert session.result(ANSWER_S).status_code == 200
        locations = [answer.result().headers["Location"] for answer in refused]
        assert set(locations) == {"/sign-in?problem=unavailable"}
    assert (
        browser.get("/v1/session/oidc").headers["Location"].startswith(provider.issuer)
    )


@pytest.mark.parametrize("body", [b"[" * 200_000, b" " * 2**21, b'{"issuer":' * 50_000])
def test_a_huge_or_nested_answer_of_the_provider_is_reported(
    open_browser, provider, body
):
    provider.answer = body
    location = open_browser().get("/v1/session/oidc").headers["Location"]
    assert location == "/sign-in?problem=unavailable"


UNUSABLE_METADATA = (
    {"jwks_uri": 1},
    {"jwks_uri": "no address"},
    {"jwks_uri": "file:///etc/passwd"},
    {"authorization_endpoint": ["a"]},
    {"authorization_endpoint": "javascript:alert(1)"},
    {"token_endpoint": "ftp://127.0.0.1"},
)


@pytest.mark.parametrize("change", UNUSABLE_METADATA)
def test_unusable_metadata_of_the_provider_is_refused(open_browser, provider, change):
    provider.metadata_changes = change
    assert (
        open_browser().get("/v1/session/oidc").headers["Location"]
        == "/sign-in?problem=oidc-refused"
    )


@pytest.mark.parametrize(
    "keys", [{}, {"keys": "x"}, {"keys": [1]}, {"keys": [{"kty": "no"}]}]
)
def test_unusable_keys_of_the_provider_are_refused(open_browser, provider, keys):
    provider.published_keys = keys
    assert (
        open_browser().get("/v1/session/oidc").headers["Location"]
        == "/sign-in?problem=oidc-refused"
    )


@pytest.mark.parametrize(
    "claim",
    [
        {"sub": "a\0b"},
        {"sub": "x" * 5000},
        {"sub": ["a"]},
        {"exp": "tomorrow"},
        {"aud": {"sera": 1}},
    ],
)
def test_an_odd_claim_is_refused(open_browser, provider, claim):
    provider.claims |= CLAIMS
    provider.tamper = claim
    assert complete_sign_in(open_browser()).startswith("/sign-in?problem=oidc-")


def test_a_claim_that_is_too_long_for_a_name_is_passed_over(open_browser, provider):
    long_name = "".join(f"{number:x}" for number in range(5000))
    provider.claims |= CLAIMS | {
        "preferred_username": long_name,
        "email": "a@b.example",
    }
    browser = open_browser()
    assert complete_sign_in(browser) == "/"
    assert browser.get("/v1/session").json()["name"] == "a@b.example"


@pytest.mark.parametrize("id_token", ["", "a.b.c", "é.é.é", ["x"], {}, "a.b.c.d.e"])
def test_a_malformed_token_is_refused(open_browser, provider, id_token):
    provider.claims |= CLAIMS
    provider.id_token = id_token
    assert is_refused(open_browser(), "oidc-refused")


def test_without_a_provider_its_route_is_off_and_there_is_no_button(
    gateway, provider, open_browser, as_role
):
    assert gateway.get("/v1/session/oidc").json()["code"] == "oidc-off"
    assert "/v1/session/oidc" not in gateway.get("/sign-in").text
    assert "/v1/session/oidc" in open_browser().get("/sign-in").text
    fields = {"name": "auditor-1", "role": "auditor", "subject": "subject-1"}
    assert (
        as_role(Role.OPERATOR).post("/v1/people", json=fields).json()["code"]
        == "oidc-off"
    )


def test_redirects_to_the_provider_are_limited_for_each_address(open_browser, provider):
    browser = open_browser(sign_ins_per_minute=2)
    is_redirected = [
        browser.get("/v1/session/oidc").headers["Location"].startswith(provider.issuer)
        for _ in range(3)
    ]
    assert is_redirected == [True, True, False]


@pytest.mark.parametrize(
    "issuer",
    [
        "http://login.example",
        "ftp://127.0.0.1",
        "login.example",
        "http://127.0.0.1.evil",
    ],
)
def test_an_issuer_without_tls_is_refused_unless_it_is_on_loopback(issuer):
    with pytest.raises(ValidationError):
        Settings(oidc_issuer=issuer)
