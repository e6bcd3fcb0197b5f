"""The page of a new case on every screen, and how few interactions lead from an image to a result."""

from base64 import b64encode
from dataclasses import dataclass

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.browser.layout import layout_faults
from tests.browser.test_new_case import CASE, PICTURE, TIMEOUT_MS, image, place
from tests.support.builders import Screen, encode, png

WIDTHS = (320, 390, 768, 1440, 1920)
DESK = {"width": 1440, "height": 900}
MAX_INTERACTIONS = 6
TWO_OUTLINES = {
    "outlines": [
        {"polygon": [[90, 90], [150, 80], [160, 150], [95, 140]], "probability": 0.93},
        {"polygon": [[200, 180], [240, 175], [235, 220]], "probability": 0.61},
    ],
    "source": "network",
    "model": "d" * 64,
}
CHIPS = ("solid", "very-hypoechoic", "taller-than-wide", "extrathyroidal", "punctate")
DROP = """
(base64) => {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], "nodule.png", { type: "image/png" }));
  document.getElementById("drop").dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
}
"""


def screen_with_text() -> bytes:
    """A wide image with a line of text, which is warned of."""
    screen = Screen(width=420, height=300)
    screen.pixels[:40] = 0
    for place_of, glyph in enumerate("KIM MINJI 1958"):
        screen.letter(20 + 14 * place_of, 26, glyph)
    return encode(screen.pixels)


def fill(page: Page) -> None:
    """Show an image with two outlines, and fill in everything."""
    page.locator("#file").set_input_files(image(screen_with_text()))
    expect(page.locator(PICTURE)).to_be_visible(timeout=TIMEOUT_MS)
    expect(page.locator(".viewer-proposal button")).to_have_count(3)
    page.locator(".viewer-proposal").get_by_role("button").first.evaluate(
        "(button) => button.click()"
    )
    page.evaluate(
        """(terms) => {
          for (const term of terms) document.querySelector(`#describe [value="${term}"]`).click();
          const size = document.getElementById("size");
          size.value = "1,45 cm";
          size.dispatchEvent(new Event("input"));
        }""",
        CHIPS,
    )
    expect(page.locator("#counted strong")).to_have_text("TR5")


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("language", ["en", "ko"])
def test_nothing_overlaps_or_scrolls_sideways_on_any_screen(
    open_page, screenshot, assert_accessible, language, dark
):
    page = open_page(language=language, dark=dark, path="/")
    page.route("**/outlines?*", lambda route: route.fulfill(json=TWO_OUTLINES))
    theme = "dark" if dark else "light"
    faults = {}
    for state in ("empty", "filled"):
        if state == "filled":
            fill(page)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            for step in ("image", "nodule", "facts"):
                is_shown = width < 640 or step == "nodule"
                if not is_shown or (state == "empty" and step != "image"):
                    continue
                page.evaluate(
                    "(step) => { document.getElementById('case').dataset.step = step; }",
                    step,
                )
                page.wait_for_timeout(100)
                screenshot(page, f"new-case-{state}-{step}-{width}-{language}-{theme}")
                faults[state, step, width] = layout_faults(page)
        assert_accessible(page)
    assert {where: found for where, found in faults.items() if found} == {}


@pytest.mark.parametrize("language", ["en", "ko"])
def test_a_desk_shows_everything_without_scrolling(open_page, language):
    page = open_page(language=language, path="/")
    page.set_viewport_size(DESK)
    page.route("**/outlines?*", lambda route: route.fulfill(json=TWO_OUTLINES))
    fill(page)
    for part in ("#stage", "#warnings", "#size", "#counted", "#urgent", "#submit"):
        box = page.locator(part).bounding_box()
        assert box["y"] >= 0, part
        assert box["y"] + box["height"] <= DESK["height"], part
    rail = page.locator(".rail")
    assert rail.evaluate("(rail) => rail.scrollHeight <= rail.clientHeight + 1")
    assert page.locator("#stage").bounding_box()["width"] / DESK["width"] >= 0.6


@dataclass
class Reader:
    """Counts what a reader does between an image and its result."""

    page: Page
    interactions: int = 0

    def drop(self) -> None:
        self.page.evaluate(DROP, b64encode(png(3)).decode())
        expect(self.page.locator(PICTURE)).to_be_visible(timeout=TIMEOUT_MS)

    def press(self, key: str) -> None:
        self.interactions += 1
        self.page.keyboard.press(key)

    def type(self, text: str) -> None:
        self.interactions += 1
        self.page.keyboard.type(text)

    def click(self, target: str) -> None:
        self.interactions += 1
        self.page.locator(target).click()

    def tap(self, target: str) -> None:
        self.interactions += 1
        self.page.locator(target).tap()

    def sees_the_result(self) -> bool:
        self.page.wait_for_url(CASE, timeout=TIMEOUT_MS)
        expect(self.page.locator("#decision")).to_be_visible(timeout=TIMEOUT_MS)
        return self.interactions <= MAX_INTERACTIONS


def test_from_image_to_result_by_keyboard(open_page):
    reader = Reader(open_page(path="/"))
    reader.drop()
    expect(reader.page.locator(PICTURE)).to_be_focused()
    reader.press("Enter")
    reader.press("Tab")
    expect(reader.page.locator("#size")).to_be_focused()
    reader.type("14.5")
    reader.press("Enter")
    assert reader.sees_the_result()


def test_from_image_to_result_by_mouse(open_page):
    reader = Reader(open_page(path="/"))
    reader.drop()
    mouse = reader.page.mouse
    mouse.move(*place(reader.page, 0.2, 0.2))
    mouse.down()
    mouse.move(*place(reader.page, 0.8, 0.8), steps=4)
    mouse.up()
    reader.interactions += 1
    reader.click("#size")
    reader.type("14.5")
    reader.click("#submit")
    assert reader.sees_the_result()


def test_from_image_to_result_by_touch_on_a_phone(open_page):
    page = open_page(path="/", phone=True)
    page.locator("#file").set_input_files(image())
    expect(page.locator(PICTURE)).to_be_visible(timeout=TIMEOUT_MS)
    reader = Reader(page)
    reader.tap("#next")
    reader.tap("#size")
    reader.type("14.5")
    reader.tap("#submit")
    assert reader.sees_the_result()


def test_a_phone_goes_on_step_by_step(open_page):
    page = open_page(path="/", phone=True)
    current = page.locator("#steps [aria-current=step]")
    expect(current).to_have_text("Image")
    page.locator("#file").set_input_files(image())
    expect(current).to_have_text("Nodule", timeout=TIMEOUT_MS)
    expect(page.locator("#submit")).to_be_hidden()
    page.locator("#next").tap()
    expect(current).to_have_text("Findings")
    page.locator("#submit").tap()
    expect(page.locator("#status")).to_contain_text("size of the nodule")
    expect(page.locator("#size")).to_be_focused()
    page.locator("#back").tap()
    expect(page.locator(PICTURE)).to_be_visible()


def test_the_page_with_an_image_is_small(open_page):
    page = open_page()
    sizes: list[int] = []
    page.on(
        "response",
        lambda response: (
            sizes.append(response.request.sizes()["responseBodySize"])
            if "/static/" in response.url or response.url.endswith("/")
            else None
        ),
    )
    page.goto("/")
    page.locator("#file").set_input_files(
        image(encode(np.full((90, 90), 90, np.uint8)))
    )
    expect(page.locator(PICTURE)).to_be_visible(timeout=TIMEOUT_MS)
    assert sum(sizes) < 200_000
