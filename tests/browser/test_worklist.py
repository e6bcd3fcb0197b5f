"""The worklist in a real browser: search, outcomes, CSV, rerun, erasure, keyboard, phone."""

import csv
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone

import pytest
from playwright.sync_api import Page, expect

from shared.domain.jobs import Reason
from shared.domain.roles import Role
from shared.ledger.jobs.lease import Failure
from tests.support.builders import png

HOSPITAL = "seoul-worklist"
NUMBERS = ("W-1", "W-2", "V-3")


@pytest.fixture(scope="module")
def hospital(stage):
    return stage.hospital(HOSPITAL)


@pytest.fixture(scope="module")
def read_cases(hospital):
    """Receipts of three cases that have been read, two of them in one batch."""
    images = {
        number: png(seed, malignant=seed == 1) for seed, number in enumerate(NUMBERS)
    }
    receipts = {
        number: hospital.accepted(
            image,
            external_id=number,
            size_mm=12.5,
            batch="spring" if number[0] == "W" else None,
        )
        for number, image in images.items()
    }
    assert {
        hospital.job(receipt["job_id"])["state"] for receipt in receipts.values()
    } == {"done"}
    return receipts


@contextmanager
def suspended_worker(stage) -> Iterator[None]:
    """No worker reads within this context."""
    worker = stage.process("worker")
    worker.suspend()
    try:
        yield
    finally:
        worker.resume()


def row(page: Page, number: str):
    return page.get_by_role("row").filter(
        has=page.get_by_role("link", name=number, exact=True)
    )


@pytest.mark.usefixtures("read_cases")
def test_cases_are_filtered_given_an_outcome_and_downloaded(
    open_page, assert_accessible, screenshot
):
    page = open_page(Role.SUBMITTER, HOSPITAL, path="/worklist")
    expect(page.locator("#count")).to_contain_text("3 cases")
    page.get_by_label("Number begins with").fill("W-")
    page.get_by_label("State").select_option("done")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("#count")).to_contain_text("2 cases")
    assert re.search(r"\?q=W-&state=done$", page.url)
    page.wait_for_load_state()  # the scripts of the new page
    page.get_by_role("button", name="Outcome of W-2").click()
    page.get_by_label("malignant").check()
    page.get_by_label("Confirmed by").select_option("histology")
    page.get_by_label("Date", exact=True).fill("2026-03-14")
    page.get_by_label("The image may be used for training").check()
    assert_accessible(page)
    screenshot(page, "worklist-outcome")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_have_text("Outcome of W-2 recorded.")
    expect(row(page, "W-2")).to_contain_text("histology, 2026-03-14, for training")
    with page.expect_download() as file:
        page.get_by_role("link", name="Download as CSV").click()
    lines = list(csv.DictReader(file.value.path().read_text("utf-8-sig").splitlines()))
    outcomes = [
        (line["external_id"], line["malignant"], line["source"], line["consent"])
        for line in lines
    ]
    assert outcomes == [("W-2", "true", "histology", "true"), ("W-1", "", "", "")]


def test_a_dead_letter_is_run_again_and_its_row_follows_it(
    open_page, screenshot, stage, hospital, stack_ledger
):
    with suspended_worker(stage):
        hospital.accepted(png(5), external_id="D-1")
        with stack_ledger.system_session("w") as session:
            lease = session.queue.claim("w", 50, timedelta(minutes=1), 5)
            failure = Failure(Reason.WORKER_LOST)
            session.queue.fail(lease.token, {job.id: failure for job in lease.jobs})
        page = open_page(Role.SUBMITTER, HOSPITAL, path="/worklist?q=D-")
        expect(row(page, "D-1")).to_contain_text(
            "The worker was lost every time it tried this image."
        )
        screenshot(page, "worklist-dead-letters")
        page.get_by_role("button", name="Run all of these again").click()
        expect(row(page, "D-1")).to_contain_text("waiting")
        expect(page.get_by_text("Could not be read")).to_have_count(0)
    expect(row(page, "D-1")).to_contain_text("done")
    expect(page.get_by_role("status")).to_have_text("D-1: done.")


@pytest.mark.usefixtures("read_cases")
def test_an_administrator_erases_a_case_by_keyboard_alone(open_page, assert_accessible):
    page = open_page(Role.HOSPITAL_ADMIN, HOSPITAL, path="/worklist?q=V-3")
    page.get_by_role("button", name="Erase V-3").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_contain_text("are erased permanently")
    assert_accessible(page)
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Erase V-3")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text("V-3 is erased.")
    expect(page.get_by_text("No case matches.")).to_be_visible()


@pytest.mark.usefixtures("read_cases")
def test_dates_are_in_the_visitors_time_zone(open_page):
    page = open_page(Role.SUBMITTER, HOSPITAL, language="ko", zone="Asia/Seoul")
    page.clock.set_fixed_time("2026-03-14T23:00:00Z")
    page.goto("/worklist?q=W-1")
    accepted = row(page, "W-1").locator("time")
    utc = datetime.fromisoformat(accepted.get_attribute("datetime"))
    seoul_time = utc.astimezone(timezone(timedelta(hours=9)))
    assert (
        accepted.inner_text()
        == f"{seoul_time.year}. {seoul_time.month}. {seoul_time.day}. {seoul_time:%H:%M}"
    )
    assert accepted.get_attribute("title") == f"{utc:%Y-%m-%d %H:%M:%S} UTC"
    row(page, "W-1").locator("[data-act=outcome]").click()
    expect(page.locator("#outcome-on")).to_have_attribute("max", "2026-03-15")


@pytest.mark.usefixtures("read_cases")
@pytest.mark.parametrize(
    ("phone", "language", "dark"), [(False, "en", False), (True, "ko", True)]
)
def test_the_worklist_is_accessible(
    open_page, assert_accessible, screenshot, phone, language, dark
):
    page = open_page(
        Role.HOSPITAL_ADMIN,
        HOSPITAL,
        phone=phone,
        language=language,
        dark=dark,
        path="/worklist",
    )
    expect(page.locator("tr[data-job]").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert_accessible(page)
    screenshot(page, f"worklist-{language}-{'phone' if phone else 'desk'}", full=True)
