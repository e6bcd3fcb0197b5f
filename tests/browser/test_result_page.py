"""The page of a result with the names of real recipes: all in sight on a desk, nothing overlaps and
nothing scrolls sideways on any screen.
"""

import json

import pytest
from playwright.sync_api import Page, expect

from shared.domain.results.findings import Finding
from shared.domain.results.prediction import Verdict
from shared.domain.roles import Role
from shared.guidelines import DESCRIPTORS_EXAMPLE
from tests.browser.layout import layout_faults
from tests.browser.recipe_results import RECIPES, WARNINGS, finish_case, recipe_result
from tests.support.builders import png

HOSPITAL = "widths"
ROI = '{"box": [36, 24, 72, 80]}'
WIDTHS = (320, 390, 768, 1440, 1920)
DESK = {"width": 1440, "height": 900}
STRANGE = Finding("out-of-distribution", "Unlike the training images.")


@pytest.fixture(scope="module")
def paths(stage, stack_ledger) -> dict[str, str]:
    """The paths of the pages of cases, by recipe and `refer`."""
    sender = stage.hospital(HOSPITAL)
    answers = {name: recipe_result(name) for name in RECIPES}
    answers["refer"] = recipe_result(
        "light", decision=Verdict.REFER, warnings=(STRANGE, *WARNINGS)
    )
    described = json.dumps(DESCRIPTORS_EXAMPLE)
    return {
        name: "/cases/"
        + finish_case(
            stage,
            stack_ledger,
            sender,
            answer,
            png(60 + number),
            roi=ROI,
            external_id=f"2026-{number}-{name}",
            descriptors=described if name in ("light", "refer") else None,
        )
        for number, (name, answer) in enumerate(answers.items())
    }


def fold_all(page: Page, *, is_open: bool) -> None:
    """Fold or unfold everything on the page that can be."""
    page.evaluate(
        "(open) => { for (const part of document.querySelectorAll('details')) part.open = open; }",
        is_open,
    )


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("language", ["en", "ko"])
def test_nothing_overlaps_or_scrolls_sideways_on_any_screen(
    open_page, paths, screenshot, assert_accessible, language, dark
):
    page = open_page(
        Role.SUBMITTER, HOSPITAL, language=language, dark=dark, path=paths["light"]
    )
    faults = {}
    for name, path in paths.items():
        page.goto(path)
        expect(page.locator("#picture.is-ready")).to_be_visible()
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            page.wait_for_timeout(100)
            fold_all(page, is_open=False)
            if name in ("light", "refer"):
                theme = "dark" if dark else "light"
                screenshot(page, f"result-{name}-{width}-{language}-{theme}")
            for is_open in (False, True):
                fold_all(page, is_open=is_open)
                faults[name, width, is_open] = layout_faults(page)
        assert_accessible(page)
    assert {place: found for place, found in faults.items() if found} == {}


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("name", [*RECIPES, "refer"])
def test_a_desk_shows_the_result_without_scrolling(open_page, paths, name, language):
    page = open_page(Role.SUBMITTER, HOSPITAL, language=language, path=paths[name])
    page.set_viewport_size(DESK)
    expect(page.locator("#picture.is-ready")).to_be_visible()
    for part in ("#decision", "#picture", "#pdf", "#copy-text", "#details > summary"):
        box = page.locator(part).bounding_box()
        assert box["y"] >= 0, part
        assert box["y"] + box["height"] <= DESK["height"], part
    viewer = page.locator("#picture").bounding_box()
    assert 0.55 <= viewer["width"] / DESK["width"] <= 0.62


def test_a_referral_takes_the_place_of_the_advice_and_says_why(open_page, paths):
    page = open_page(Role.READER, HOSPITAL, path=paths["refer"])
    expect(page.locator("#decision strong")).to_have_text(
        "No answer: a radiologist should read this image"
    )
    expect(page.locator("#fna")).to_have_count(0)
    expect(page.locator("#reasons")).to_contain_text("unlike those the model")
    expect(page.locator("#risk")).to_be_hidden()


def test_a_remark_is_a_chip_that_opens(open_page, paths):
    page = open_page(Role.READER, HOSPITAL, path=paths["light"])
    chip = page.get_by_role("button", name="Size differs")
    says = page.get_by_text("the nodule measures 11.2 mm", exact=False).first
    expect(says).to_be_hidden()
    chip.press("Enter")
    expect(says).to_be_visible()
    page.keyboard.press("Escape")
    expect(says).to_be_hidden()


def test_the_outlines_are_switched_off_and_on(open_page, paths):
    page = open_page(Role.READER, HOSPITAL, path=paths["light"])
    button = page.locator("[data-tool=outlines]")
    expect(button).to_have_attribute("aria-pressed", "true")
    canvas = page.locator(".viewer-stage canvas")
    with_outlines = canvas.screenshot()
    button.click()
    expect(button).to_have_attribute("aria-pressed", "false")
    assert canvas.screenshot() != with_outlines


def test_the_page_is_small(open_page, paths):
    page = open_page(Role.READER, HOSPITAL)
    sizes: list[int] = []
    page.on(
        "response",
        lambda response: (
            sizes.append(response.request.sizes()["responseBodySize"])
            if not response.url.endswith(".png")
            else None
        ),
    )
    page.goto(paths["light"])
    expect(page.locator("#picture.is-ready")).to_be_visible()
    assert sum(sizes) < 200_000
