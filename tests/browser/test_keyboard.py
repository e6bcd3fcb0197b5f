"""From sign-in to the report and back by the worklist, with the keyboard alone."""

import re
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from shared.domain.roles import Role
from tests.browser.faithfulness import state_faithfulness
from tests.browser.test_new_case import CASE, PICTURE, TIMEOUT_MS, case_of, image
from tests.support.sign_in import PASSWORD

MAX_STOPS = 60
FOCUSED = (
    "element => element === document.activeElement && element.matches(':focus-visible')"
)


def reach(page: Page, target: Locator, key: str = "Tab") -> None:
    """Press the key until the target has the visible focus."""
    for _ in range(MAX_STOPS):
        if target.evaluate(FOCUSED):
            return
        page.keyboard.press(key)
    focused = page.evaluate("document.activeElement.outerHTML")
    raise AssertionError(f"{key} never reaches {target}, but {focused}")


def open_and_close(page: Page, button: Locator, dialog: Locator) -> None:
    """Enter opens the dialog, Escape closes it, and the focus returns to the button."""
    reach(page, button)
    page.keyboard.press("Enter")
    expect(dialog).to_be_visible()
    assert dialog.evaluate("element => element.contains(document.activeElement)")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(button).to_be_focused()


def sign_in(page: Page, name: str) -> None:
    expect(page.locator("#name")).to_be_focused()
    page.keyboard.type(name)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.locator("#size")).to_be_visible()
    page.wait_for_load_state()  # its scripts have run


def skip_menu(page: Page) -> None:
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()


def choose_image(page: Page) -> None:
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    chooser.value.set_files(image())
    expect(page.locator(PICTURE)).to_be_visible(timeout=TIMEOUT_MS)


def test_everything_from_sign_in_to_the_report_works_by_keyboard_alone(
    open_page, stage, make_person, screenshot
):
    person = make_person(Role.SUBMITTER, "keys-only")
    page = open_page(None, path="/", language="ko", dark=True)
    page.on(
        "filechooser", lambda chooser: None
    )  # the browser reports choosers from now on
    sign_in(page, person.name)
    skip_menu(page)
    page.keyboard.press("Tab")
    expect(page.locator("#file")).to_be_focused()
    choose_image(page)
    expect(page.locator(PICTURE)).to_be_focused()
    for key in ("Enter", "ArrowRight", "Shift+ArrowDown", "Shift+ArrowDown"):
        page.keyboard.press(key)
    screenshot(page, "new-case-desk-ko-dark")
    open_and_close(page, page.locator("#straighten"), page.locator("dialog[open]"))
    reach(page, page.locator("#size"))
    page.keyboard.type("14.5mm")
    reach(page, page.locator("#external"))
    page.keyboard.type("K-1")
    page.keyboard.press("Enter")
    assert case_of(page, stage)["roi"] == {"box": [33, 32, 64, 66]}

    expect(page.locator("#decision")).to_be_visible(timeout=TIMEOUT_MS)
    state_faithfulness(page, area=0.02)
    reach(page, page.locator(".viewer-stage canvas"))
    page.keyboard.press("x")
    slider = page.get_by_role("slider")
    expect(slider).to_be_focused(timeout=TIMEOUT_MS)
    page.keyboard.press("ArrowLeft")
    expect(slider).to_have_attribute("aria-valuetext", re.compile("55"))
    reach(page, page.locator("#pdf"))
    with page.expect_download(timeout=TIMEOUT_MS) as download:
        page.keyboard.press("Enter")
    assert Path(download.value.path()).read_bytes().startswith(b"%PDF-")

    reach(page, page.locator("nav a[href='/worklist']"), "Shift+Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/worklist")
    skip_menu(page)
    reach(page, page.locator("#f-q"))
    page.keyboard.type("K-1")
    page.keyboard.press("Enter")
    page.wait_for_url("**/worklist?q=K-1")
    open_and_close(page, page.locator("[data-act=outcome]"), page.locator("#outcome"))
    reach(page, page.get_by_role("link", name="K-1"), "Shift+Tab")
    page.keyboard.press("Enter")
    page.wait_for_url(CASE)
