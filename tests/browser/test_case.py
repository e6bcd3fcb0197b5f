"""The page of a case in a real browser: waiting, read, failed, printed."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from shared.domain.roles import Role
from shared.guidelines import DESCRIPTORS_EXAMPLE
from tests.browser.faithfulness import state_faithfulness
from tests.browser.layout import layout_faults
from tests.browser.recipe_results import suspended
from tests.support.builders import encode, png
from tests.support.sign_in import PASSWORD

TIMEOUT_MS = 60_000
ROI = '{"polygon": [[40, 36], [84, 30], [104, 66], [80, 100], [44, 92]]}'


NODULE = {"name": "nodule.png", "mimeType": "image/png", "buffer": png(3)}


@pytest.fixture(scope="module")
def north(stage):
    return stage.hospital("north")


@pytest.fixture(scope="module")
def result_path(north) -> str:
    """The path of a case with a result, which is similar to a case with a known outcome."""
    similar_case = north.read(png(1))
    north.http.post(
        f"/v1/cases/{similar_case['case_id']}/outcome",
        json={"malignant": True, "source": "histology"},
    )
    case = north.read(
        png(2),
        roi=ROI,
        external_id="N-21",
        size_mm=8.5,
        descriptors=json.dumps(DESCRIPTORS_EXAMPLE),
    )
    return f"/cases/{case['case_id']}"


def colour_on(page: Page) -> int:
    """How much colour is drawn on the image: the sum of the differences of red and blue."""
    return page.evaluate(
        """async () => {
          await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
          const canvas = document.querySelector(".viewer-stage canvas");
          const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          let sum = 0;
          for (let index = 0; index < data.length; index += 4) sum += Math.abs(data[index] - data[index + 2]);
          return sum;
        }"""
    )


def ask_for_map(page: Page) -> None:
    """Ask for the map by keyboard, with the outline hidden."""
    canvas = page.locator(".viewer-stage canvas")
    canvas.press("h")
    assert colour_on(page) == 0
    canvas.press("x")


def test_the_page_of_a_waiting_case_changes_to_the_result_by_itself(
    open_page, stage, north, assert_accessible, screenshot
):
    with suspended(stage.process("worker")):
        page = open_page(path=f"/cases/{north.accepted(png(4))['case_id']}")
        expect(page.locator("#progress-said")).to_contain_text("in the queue")
        assert_accessible(page)
        screenshot(page, "case-waiting")
        page.evaluate("() => { window.unloaded = false }")
    expect(page.locator("#decision")).to_be_visible(timeout=TIMEOUT_MS)
    expect(page.locator("#status")).to_have_text("The result is ready.")
    assert page.evaluate("() => window.unloaded") is False


def test_the_page_polls_if_events_do_not_arrive(open_page, stage, north):
    page = open_page()
    page.route("**/events", lambda route: route.abort())
    with suspended(stage.process("worker")):
        page.goto(f"/cases/{north.accepted(png(5))['case_id']}")
        expect(page.locator("#progress-said")).to_be_visible()
    expect(page.locator("#decision")).to_be_visible(timeout=TIMEOUT_MS)


def test_a_map_that_failed_its_deletion_test_is_drawn_only_when_asked_for(
    open_page, result_path, assert_accessible
):
    page = open_page(path=result_path)
    state_faithfulness(page, area=-0.02)
    ask_for_map(page)
    draw = page.get_by_role("button", name="Draw it all the same")
    expect(draw).to_be_focused(timeout=TIMEOUT_MS)
    assert colour_on(page) == 0
    expect(page.locator(".heatmap")).to_contain_text("not drawn unless you ask")
    assert_accessible(page)
    draw.press("Enter")
    expect(page.get_by_role("slider")).to_be_focused()
    page.wait_for_timeout(300)
    assert colour_on(page) > 0


def test_the_map_lies_over_the_image_and_the_keyboard_changes_its_opacity(
    open_page, result_path, assert_accessible, screenshot
):
    page = open_page(path=result_path)
    state_faithfulness(page, area=0.02)
    ask_for_map(page)
    slider = page.get_by_role("slider")
    expect(slider).to_be_focused(timeout=TIMEOUT_MS)
    expect(slider).to_have_attribute("aria-valuetext", "60 %")
    page.wait_for_timeout(300)
    before = colour_on(page)
    assert before > 0
    page.keyboard.press("ArrowRight")
    expect(slider).to_have_attribute("aria-valuetext", "65 %")
    assert colour_on(page) > before
    assert_accessible(page)
    page.locator(".viewer-stage canvas").press("h")
    page.set_viewport_size({"width": 1440, "height": 900})
    screenshot(page, "case-desk")
    page.locator("[data-tool=map]").click()
    expect(page.locator(".heatmap")).to_be_hidden()


def test_an_outcome_is_entered_beside_the_image(open_page, result_path):
    page = open_page(path=result_path)
    page.get_by_role("button", name="Outcome …").click()
    page.get_by_role("radio", name="Malignant").check()
    page.get_by_label("Confirmed by").select_option("histology")
    page.keyboard.press("Enter")
    expect(page.locator("#outcome-said")).to_have_text(
        "Outcome: Malignant by histology"
    )
    expect(page.locator("#status")).to_have_text("The outcome is recorded.")
    expect(page.locator("#picture.is-ready")).to_be_visible()


def test_the_report_text_is_copied_in_the_language_of_the_page(open_page, result_path):
    page = open_page(path=result_path, language="ko")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="판독문 복사").first.click()
    expect(page.locator("#status")).to_have_text("판독문을 복사했습니다.")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == page.locator("#report-text-ko").text_content()
    assert "증례: N-21" in copied


def test_the_readers_own_level_comes_before_the_answer(
    open_page, stage, stack_ledger, assert_accessible, screenshot
):
    case = stage.hospital("levels").read(png(6))
    with stack_ledger.system_session("test") as session:
        hospital = session.hospitals.ensure("levels")
        session.hospitals.change(hospital, {"reader_first": "on"})
    page = open_page(Role.READER, "levels", path=f"/cases/{case['case_id']}")
    store = page.get_by_role("button", name="Store my level")
    store.click()
    expect(page.locator("#own-level-problem")).to_contain_text("Choose your level")
    expect(page.locator("#decision")).to_have_count(0)
    level = page.get_by_label("My suspicion level")
    level.select_option("TR2")
    page.get_by_label("Solid", exact=False).first.check()
    expect(level).to_have_value("")
    expect(page.locator("#counted")).to_contain_text("points: 2")
    assert_accessible(page)
    assert layout_faults(page) == []
    screenshot(page, "own-level")
    level.select_option("TR4")
    store.press("Enter")
    expect(page.locator("#decision")).to_be_visible(timeout=TIMEOUT_MS)
    expect(page.locator("#levels")).to_contain_text("TR4")
    assert_accessible(page)


@pytest.mark.parametrize("language", ["en", "ko"])
def test_it_prints_as_one_page(open_page, result_path, language):
    page = open_page(path=result_path, language=language)
    pdf = page.pdf(prefer_css_page_size=True)
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) == 1


def test_the_page_is_accessible_on_a_phone_in_korean_and_dark(
    open_page, result_path, assert_accessible, screenshot
):
    page = open_page(path=result_path, phone=True, language="ko", dark=True)
    page.locator("#details summary").click()
    expect(page.locator("#similar a")).to_be_visible()
    expect(page.locator("#own .own-level")).to_have_text(
        "ACR TI-RADS 2017: TR5 (점수: 7)"
    )
    expect(page.locator("#own dl")).to_contain_text("에코발생도")
    assert_accessible(page)
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 390
    screenshot(page, "case-phone-ko-dark", full=True)


def test_a_failed_case_shows_its_reason_and_can_be_run_again(
    open_page, north, assert_accessible, screenshot
):
    blank = north.accepted(encode(np.full((128, 128), 90)))
    north.job(blank["job_id"])
    page = open_page(Role.SUBMITTER, path=f"/cases/{blank['case_id']}")
    expect(page.locator("#reason")).to_contain_text("one even grey")
    assert_accessible(page)
    screenshot(page, "case-failed")
    page.get_by_role("button", name="Run again").click()
    expect(page.locator("#status")).to_have_text(
        "The case has changed.", timeout=TIMEOUT_MS
    )
    expect(page.locator("#reason")).to_be_visible(timeout=TIMEOUT_MS)


def test_from_the_sign_in_to_the_report_in_six_interactions(open_page, make_person):
    """Each step is one field filled, with its Enter, one file given, or one click."""
    person = make_person(Role.SUBMITTER)
    page = open_page(None, path="/")
    steps = (
        lambda: page.get_by_label("Name", exact=True).fill(person.name),
        lambda: (
            page.get_by_label("Password", exact=True).fill(PASSWORD)
            or page.keyboard.press("Enter")
        ),
        lambda: page.get_by_label("Largest diameter").fill("14.5"),
        lambda: page.get_by_label("Choose file").set_input_files(NODULE),
        lambda: page.get_by_role("button", name="Analyse").click(),
        lambda: page.get_by_role("link", name="Report (PDF)").click(timeout=TIMEOUT_MS),
    )
    assert len(steps) == 6
    with page.expect_download(timeout=TIMEOUT_MS) as download:
        for step in steps:
            step()
    report = Path(download.value.path()).read_bytes()
    assert report.startswith(b"%PDF-")
    assert b"/Subtype /Image" in report
