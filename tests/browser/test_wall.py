"""The wall in a browser: read from afar, left alone by the gateway, found again, and turned page by page."""

import re

import pytest
from playwright.sync_api import expect

from shared.domain.roles import Role
from tests.support.builders import png

WALL = {"width": 1920, "height": 1080}
LEAST_VMIN = 4
FIGURES = "nodes => nodes.map(node => parseFloat(getComputedStyle(node).fontSize) / Math.min(innerWidth, innerHeight))"


@pytest.fixture
def hang(open_page):
    """Puts a wall up for a person of a role, with a clock that the test turns."""

    def put(role=Role.OPERATOR, size=WALL, path="/wall", **how):
        page = open_page(role, **how)
        if not how.get("phone"):
            page.set_viewport_size(size)
        page.clock.install()
        page.goto(path)
        return page

    return put


def test_it_is_read_from_afar_and_says_when_the_gateway_is_gone_and_back(
    hang, stage, assert_accessible, screenshot
):
    stage.hospital("north").read(png(1), size_mm=12)
    page = hang()
    figures = page.locator(".figure")
    expect(figures).to_have_count(8)
    assert min(figures.evaluate_all(FIGURES)) * 100 >= LEAST_VMIN
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


def test_many_hospitals_pass_by_until_somebody_holds_them(hang, stack_ledger):
    with stack_ledger.system_session("test") as session:
        for number in range(6):
            session.hospitals.ensure(f"wall {number}")
    page = hang(size={"width": 1280, "height": 480}, path="/wall?window=1h")
    page.clock.fast_forward(6_000)
    expect(page.get_by_role("button", name="Pause")).to_be_visible(timeout=20_000)
    first = page.locator("tbody th:visible").first
    before = first.inner_text()
    page.clock.fast_forward(11_000)
    expect(first).not_to_have_text(before)
    page.get_by_role("button", name="Pause").click()
    held = first.inner_text()
    page.clock.fast_forward(11_000)
    expect(first).to_have_text(held)
    page.get_by_role("button", name="Next").click()
    expect(first).not_to_have_text(held)


def test_a_session_that_ends_leads_to_the_page_to_sign_in_at(hang):
    page = hang(Role.READER, path="/wall?window=1h")
    page.context.clear_cookies()
    page.clock.fast_forward(6_000)
    page.wait_for_url("**/sign-in?next=/wall%3Fwindow%3D1h")


def test_a_phone_shows_it_whole_in_korean_and_by_day(hang, assert_accessible, screenshot):
    page = hang(
        Role.READER, path="/wall?window=24h&theme=light", phone=True, language="ko"
    )
    assert page.locator("html").get_attribute("data-theme") == "light"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert_accessible(page)
    screenshot(page, "wall-phone-ko", full=True)
