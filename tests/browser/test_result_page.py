"""The page of a result with the names of real recipes: nothing overlaps, nothing scrolls sideways."""

import pytest
from playwright.sync_api import Page, expect

from shared.domain.results.findings import Finding
from shared.domain.results.prediction import Verdict
from shared.domain.roles import Role
from shared.guidelines import DESCRIPTORS_EXAMPLE
from tests.browser.recipe_results import RECIPES, WARNINGS, finish_case, recipe_result
from tests.support.builders import png

import json

HOSPITAL = "widths"
STRANGE = Finding("out-of-distribution", "Unlike the training images.")
ROI = '{"box": [36, 24, 72, 80]}'
WIDTHS = (320, 390, 768, 1440, 1920)


@pytest.fixture(scope="module")
def paths(stage, stack_ledger) -> dict[str, str]:
    """The paths of the pages of cases, by recipe and `refer`."""
    sender = stage.hospital(HOSPITAL)
    answers = {name: recipe_result(name) for name in RECIPES}
    answers["refer"] = recipe_result("light", decision=Verdict.REFER, warnings=(STRANGE, *WARNINGS))
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
            descriptors=json.dumps(DESCRIPTORS_EXAMPLE) if name == "light" else None,
        )
        for number, (name, answer) in enumerate(answers.items())
    }


def test_look(open_page, paths, screenshot):
    for name, path in paths.items():
        page = open_page(Role.SUBMITTER, HOSPITAL, path=path)
        page.set_viewport_size({"width": 1440, "height": 900})
        expect(page.locator("#picture.is-ready")).to_be_visible()
        page.wait_for_timeout(400)
        screenshot(page, f"look-{name}-1440")
        page.close()
    page = open_page(Role.SUBMITTER, HOSPITAL, path=paths["light"], language="ko", dark=True)
    page.set_viewport_size({"width": 1440, "height": 900})
    page.wait_for_timeout(600)
    screenshot(page, "look-light-ko-dark")
    page.locator("#details summary").click()
    screenshot(page, "look-light-ko-dark-open", full=True)
    page = open_page(Role.SUBMITTER, HOSPITAL, path=paths["light"], phone=True)
    page.wait_for_timeout(600)
    screenshot(page, "look-light-phone")
    page.locator("#details summary").click()
    screenshot(page, "look-light-phone-full", full=True)
