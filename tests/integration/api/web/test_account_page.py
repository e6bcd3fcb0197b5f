"""The account page, as the server renders it."""

import pytest

from shared.domain.roles import Role


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("role", list(Role))
def test_every_role_has_an_account_page_and_a_link_to_it(as_person, role, language):
    page = as_person(role).get("/account", params={"lang": language}).text
    assert 'id="password"' in page
    assert 'id="begin"' in page
    assert 'href="/account"' in page


def test_a_visitor_without_a_session_is_redirected_to_sign_in(browser):
    answer = browser().get("/account", follow_redirects=False)
    assert answer.headers["location"] == "/sign-in?next=/account"


def test_an_authenticator_secret_comes_with_a_qr_code(as_person):
    totp = as_person(Role.READER).post("/v1/session/totp").json()
    assert totp["qr"].startswith("data:image/svg+xml")
