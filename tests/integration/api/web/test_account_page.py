"""The page of one's own account."""

import pytest

from shared.domain.roles import Role


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("role", list(Role))
def test_everybody_has_an_account_and_a_way_to_it(as_person, role, language):
    page = as_person(role).get("/account", params={"lang": language}).text
    assert 'id="password"' in page
    assert 'id="begin"' in page
    assert 'href="/account"' in page


def test_a_stranger_signs_in_first(browser):
    answer = browser().get("/account", follow_redirects=False)
    assert answer.headers["location"] == "/sign-in?next=/account"


def test_an_authenticator_is_offered_as_a_picture_too(as_person):
    begun = as_person(Role.READER).post("/v1/session/totp").json()
    assert begun["qr"].startswith("data:image/svg+xml")
