from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from shared.domain.roles import Role
from tests.support.sign_in import NEW_PASSWORD, PASSWORD


def test_a_visitor_without_a_session_signs_in_and_reaches_the_requested_page(
    open_page, make_person
):
    person = make_person(Role.SUBMITTER)
    page = open_page(None, path="/?lang=en")
    assert "/sign-in?next=" in page.url
    page.get_by_label("Name", exact=True).fill(person.name)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_text(person.name)).to_be_visible()
    assert urlsplit(page.url).path == "/"
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_a_wrong_password_is_announced_to_screen_readers(open_page, make_person):
    page = open_page(None, path="/sign-in")
    page.get_by_label("Name", exact=True).fill(make_person(Role.READER).name)
    page.get_by_label("Password", exact=True).fill(NEW_PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("password")


def test_a_password_submitted_before_the_script_runs_is_not_sent(
    open_page, make_person
):
    page = open_page(None)
    sent = []

    def leave_unanswered(route):
        """The script stays on its way."""

    page.route("**/sign-in.js", leave_unanswered)
    page.on("request", lambda request: sent.append((request.url, request.post_data)))
    page.goto("/sign-in", wait_until="commit")
    page.get_by_label("Name", exact=True).fill(make_person(Role.READER).name)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.keyboard.press("Enter")
    # A page loaded afterwards shows that the form had its time to be sent.
    page.get_by_role("link", name="dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert PASSWORD not in str(sent)


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("phone", [False, True])
def test_the_sign_in_page_is_accessible(
    open_page, assert_accessible, screenshot, language, dark, phone
):
    page = open_page(None, path="/sign-in", language=language, dark=dark, phone=phone)
    assert page.locator("html").get_attribute("lang") == language
    assert_accessible(page)
    screenshot(
        page,
        f"sign-in-{language}-{'phone' if phone else 'desk'}-{'dark' if dark else 'light'}",
    )
