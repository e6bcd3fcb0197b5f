"""The outlines that SERA proposes on the page of a new case, drawn by the stack's own worker."""

import json
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from shared.bundles import save
from shared.ledger import Ledger
from tests.browser.test_new_case import (
    PICTURE,
    case_of,
    choose,
    drag,
    image,
    place,
    tool,
)
from tests.e2e.stage import Stage, promote_passed, until
from tests.support.builders import png
from tests.support.outlines import outlining_model

LIVE = "SELECT count(*) FROM serving WHERE model_digest = :digest"


@pytest.fixture(scope="module", autouse=True)
def outlining_stage(
    stage: Stage, stack_ledger: Ledger, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    """The stack with a live model that has an outline network; afterwards with the one before."""
    before = stage.live()
    folder = tmp_path_factory.mktemp("bundles") / "outlining"
    save(outlining_model(), folder, synthetic=True)
    wait_until_served(stage, stage.publish(folder))
    yield stage
    with stack_ledger.system_session("test") as session:
        promote_passed(session, before)
    wait_until_served(stage, before)


def wait_until_served(stage: Stage, digest: str) -> None:
    until(lambda: stage.rows(LIVE, digest=digest) != [(0,)] or None)


def accept_first(page: Page) -> None:
    expect(page.locator("#outlines-said")).to_contain_text("SERA found")
    expect(page.locator(PICTURE)).to_be_focused()
    page.keyboard.press("Enter")


def test_a_proposed_outline_is_accepted_by_one_key_and_becomes_the_roi(
    open_page, stage, assert_accessible, screenshot
):
    page = open_page(path="/")
    choose(page)
    accept_first(page)
    expect(page.locator("#roi-said")).to_contain_text("Your outline will be sent")
    assert_accessible(page)
    screenshot(page, "new-case-outline", full=True)
    page.get_by_label("Largest diameter").fill("12")
    page.get_by_role("button", name="Analyse").click()
    roi = case_of(page, stage)["roi"]
    query = (
        "SELECT outlines FROM preview_outlines WHERE prompt IS NULL ORDER BY id DESC"
    )
    proposed = stage.rows(query)[0][0][0]["polygon"]
    assert roi["polygon"] == proposed


def test_a_click_in_an_outline_accepts_it_and_undo_gives_it_up(open_page, stage):
    page = open_page(path="/")
    choose(page)
    said = page.locator("#outlines-said")
    expect(said).to_contain_text("SERA found")
    page.mouse.click(*place(page, *middle_of_latest(stage)))
    expect(page.locator("#roi-said")).to_contain_text("Your outline will be sent")
    page.get_by_role("button", name="Undo", exact=True).click()
    expect(said).to_contain_text("SERA found")
    expect(page.get_by_role("button", name="Accept").first).to_be_visible()


def middle_of_latest(stage: Stage) -> tuple[float, float]:
    """The middle of the likeliest outline that was drawn last, in shares of a 128 px image."""
    ((outlines,),) = stage.rows(
        "SELECT outlines FROM preview_outlines WHERE made_at IS NOT NULL"
        " ORDER BY id DESC LIMIT 1"
    )
    xs, ys = zip(*outlines[0]["polygon"], strict=True)
    return sum(xs) / len(xs) / 128, sum(ys) / len(ys) / 128


def test_a_click_on_the_nodule_is_answered_and_another_one_accepts(open_page, stage):
    page = open_page(path="/")
    choose(page)
    said = page.locator("#outlines-said")
    expect(said).to_contain_text("SERA found")
    point = middle_of_latest(stage)
    page.get_by_role("button", name="Discard").click()
    tool(page, "click")
    page.mouse.click(*place(page, *point))
    expect(said).to_contain_text("at the place that you clicked")
    page.mouse.click(*place(page, *middle_of_latest(stage)))
    expect(page.locator("#roi-said")).to_contain_text("Your outline will be sent")
    page.get_by_label("Largest diameter").fill("12")
    page.get_by_role("button", name="Analyse").click()
    assert len(case_of(page, stage)["roi"]["polygon"]) > 8


def test_a_drawn_box_is_answered_with_the_outline_that_is_read(open_page, stage):
    page = open_page(path="/")
    choose(page)
    said = page.locator("#outlines-said")
    expect(said).to_contain_text("SERA found")
    drag(page, (0.25, 0.25), (0.5, 0.5), (0.75, 0.75))
    expect(said).to_contain_text("what SERA would read in your box")
    page.get_by_label("Largest diameter").fill("12")
    page.get_by_role("button", name="Analyse").click()
    case = case_of(page, stage)
    expect(page.locator("main")).to_contain_text("%")
    ((traced, result),) = stage.rows(
        "SELECT (SELECT outlines FROM preview_outlines WHERE prompt = :roi"
        " ORDER BY id DESC LIMIT 1), r.body FROM results r JOIN jobs j ON j.id = r.job_id"
        " WHERE j.case_id = :case",
        roi=json.dumps({"box": case["roi"]["box"]}),
        case=page.url.rsplit("/", 1)[1],
    )
    assert result["roi"]["polygon"] == traced[0]["polygon"]


def test_a_case_can_be_sent_while_sera_still_looks(open_page, stage):
    page = open_page(path="/")
    page.route("**/outlines?*", lambda route: route.fulfill(status=202, body=""))
    choose(page)
    expect(page.locator("#outlines-said")).to_contain_text("Looking")
    page.get_by_label("Largest diameter").fill("12")
    page.get_by_role("button", name="Analyse").click()
    assert case_of(page, stage)["roi"] is None


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (
            {"outlines": [], "source": "network", "model": "d" * 64},
            "결절을 찾지 못했습니다",
        ),
        (
            {
                "outlines": [
                    {"polygon": [[9, 9], [50, 9], [9, 50]], "probability": 0.9},
                    {"polygon": [[70, 70], [99, 70], [70, 99]], "probability": 0.7},
                ],
                "source": "network",
                "model": "d" * 64,
            },
            "2군데",
        ),
    ],
)
def test_none_and_several_are_said_on_a_phone_in_korean(
    open_page, assert_accessible, assert_fits, screenshot, answer, sentence
):
    page = open_page(path="/", phone=True, language="ko", dark=True)
    page.route("**/outlines?*", lambda route: route.fulfill(json=answer))
    page.locator("#file").set_input_files(image(png(3)))
    expect(page.locator("#outlines-said")).to_contain_text(sentence)
    accepts = page.locator(".viewer-proposal button")
    expect(accepts).to_have_count(
        len(answer["outlines"]) + 1 if answer["outlines"] else 1
    )
    assert_accessible(page)
    assert_fits(page)
    screenshot(page, f"new-case-outlines-{len(answer['outlines'])}", full=True)


def submitted_fields(page: Page) -> list[set[str]]:
    """Collect the names of the fields of each submission of a case."""
    submissions: list[set[str]] = []

    def collect(route):
        body = route.request.post_data_buffer or b""
        submissions.append(set(re.findall(r'name="(\w+)"', body.decode("latin-1"))))
        route.continue_()

    page.route("**/v1/cases", collect)
    return submissions


def test_a_file_travels_once(open_page, stage):
    page = open_page(path="/")
    submissions = submitted_fields(page)
    choose(page)
    accept_first(page)
    page.get_by_label("Largest diameter").fill("12")
    page.get_by_role("button", name="Analyse").click()
    assert case_of(page, stage)["source"] == "file"
    (fields,) = submissions
    assert "preview" in fields
    assert fields.isdisjoint({"image", "frame", "source"})


def test_the_file_is_sent_when_its_preview_is_erased(open_page, stage, stack_ledger):
    page = open_page(path="/")
    submissions = submitted_fields(page)
    choose(page)
    accept_first(page)
    with stack_ledger.engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE previews SET expires_at = clock_timestamp() - interval '1 second'"
        )
    page.get_by_label("Largest diameter").fill("12")
    page.get_by_role("button", name="Analyse").click()
    assert case_of(page, stage)["roi"]["polygon"]
    first, second = submissions
    assert "preview" in first
    assert {"image", "source"} <= second


def test_without_an_answer_the_page_says_so_and_goes_on(open_page):
    page = open_page(path="/")
    problem = {"code": "outline-failed", "detail": "?"}
    page.route("**/outlines?*", lambda route: route.fulfill(status=409, json=problem))
    choose(page)
    expect(page.locator("#outlines-said")).to_contain_text("cannot outline")
    expect(page.locator("#roi-said")).to_contain_text("whole image")


def test_a_full_store_of_previews_does_not_keep_an_image_out(open_page):
    page = open_page(path="/")
    refusals = []

    def refuse_to_keep(route):
        if b'name="keep"' in (route.request.post_data_buffer or b""):
            refusals.append(route.request.url)
            route.fulfill(status=429, json={"code": "previews-full", "detail": "?"})
        else:
            route.continue_()

    page.route("**/v1/previews", refuse_to_keep)
    choose(page)
    expect(page.locator("#roi-said")).to_contain_text("whole image")
    assert len(refusals) == 1
