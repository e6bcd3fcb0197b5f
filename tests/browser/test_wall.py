"""The wallboard in a browser: large figures, a lost and restored gateway, pages of hospitals."""

import re

import pytest
from playwright.sync_api import expect

from shared.domain.roles import Role
from tests.support.builders import png

SCREEN = {"width": 1920, "height": 1080}
MIN_VMIN = 4
FONT_SHARES = (
    "nodes => nodes.map(node => parseFloat(getComputedStyle(node).fontSize)"
    " / Math.min(innerWidth, innerHeight))"
)


@pytest.fixture
def open_wallboard(open_page):
    """Opens the wallboard for a person with a role; the test controls its clock."""

    def open_at(role=Role.OPERATOR, size=SCREEN, path="/wall", **options):
        page = open_page(role, **options)
        if not options.get("phone"):
            page.set_viewport_size(size)
        page.clock.install()
        page.goto(path)
        return page

    return open_at


def test_figures_are_large_and_a_lost_gateway_is_reported_until_it_is_back(
    open_wallboard, stage, assert_accessible, screenshot
):
    stage.hospital("north").read(png(1), size_mm=12)
    page = open_wallboard()
    figures = page.locator(".figure")
    expect(figures).to_have_count(8)
    assert min(figures.evaluate_all(FONT_SHARES)) * 100 >= MIN_VMIN
    assert page.locator("html").get_attribute("data-theme") == "dark"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    expect(page.locator("tbody th", has_text="north")).to_be_visible()
    assert_accessible(page)
    screenshot(page, "wall")
    page.context.set_offline(True)
    page.clock.fast_forward(20_000)
    silence = page.get_by_role("alert")
    expect(silence).to_have_text(re.compile(r"^No data since \d\d:\d\d:\d\d$"))
    assert_accessible(page)
    screenshot(page, "wall-silent")
    page.context.set_offline(False)
    page.clock.fast_forward(6_000)
    expect(silence).to_be_empty()


def test_the_pages_of_hospitals_turn_until_they_are_paused(
    open_wallboard, stack_ledger
):
    with stack_ledger.system_session("test") as session:
        for number in range(6):
            session.hospitals.ensure(f"wall {number}")
    page = open_wallboard(size={"width": 1280, "height": 480}, path="/wall?window=1h")
    page.clock.fast_forward(6_000)
    expect(page.get_by_role("button", name="Pause")).to_be_visible(timeout=20_000)
    first_row = page.locator("tbody th:visible").first
    first_name = first_row.inner_text()
    page.clock.fast_forward(11_000)
    expect(first_row).not_to_have_text(first_name)
    page.get_by_role("button", name="Pause").click()
    paused_name = first_row.inner_text()
    page.clock.fast_forward(11_000)
    expect(first_row).to_have_text(paused_name)
    page.get_by_role("button", name="Next").click()
    expect(first_row).not_to_have_text(paused_name)


def test_an_ended_session_leads_to_the_sign_in_page(open_wallboard):
    page = open_wallboard(Role.READER, path="/wall?window=1h")
    page.context.clear_cookies()
    page.clock.fast_forward(6_000)
    page.wait_for_url(re.compile("/sign-in"))
    assert page.url.endswith("/sign-in?next=/wall%3Fwindow%3D1h")


def test_a_phone_shows_all_of_it_in_korean_and_light(
    open_wallboard, assert_accessible, screenshot
):
    page = open_wallboard(
        Role.READER, path="/wall?window=24h&theme=light", phone=True, language="ko"
    )
    assert page.locator("html").get_attribute("data-theme") == "light"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert_accessible(page)
    screenshot(page, "wall-phone-ko", full=True)
