"""A reader study from its draft to its figures, read by keyboard."""

import json

import pytest
from playwright.sync_api import Page, Response, expect

from shared.domain.roles import Role
from tests.support.builders import png

expect.set_options(timeout=60_000)
HOSPITAL = "studying"
MALIGNANT = (True, False, True, False)
KEYS = {
    1: (("8m", "9"), ("6m", "2b"), ("4b", "7m"), ("3b", "")),
    2: (("7m", ""), ("2b", ""), ("6m", ""), ("6m", "3b")),
}
"""The keys that each reader presses for each case, blind and with SERA's answer.

A digit is the probability in tens of per cent, a letter the decision.
"""


@pytest.fixture(scope="module")
def secrets_by_case(stage):
    """The facts that a blind reader must not see, by the id of a case with result and outcome."""
    sender = stage.hospital(HOSPITAL)
    secrets = {}
    receipts = [
        sender.accepted(png(40 + n), external_id=f"mrn-70{n}", size_mm=8)
        for n in range(len(MALIGNANT))
    ]
    for receipt, malignant in zip(receipts, MALIGNANT, strict=True):
        result = sender.job(receipt["job_id"])["result"]
        outcome = {"malignant": malignant, "source": "histology"}
        assert (
            sender.http.post(
                f"/v1/cases/{receipt['case_id']}/outcome", json=outcome
            ).status_code
            == 201
        )
        facts = (
            result["score"],
            result["risk"],
            result["fna"]["text"],
            result["warnings"][0]["message"],
        )
        secrets[receipt["case_id"]] = [json.dumps(fact) for fact in facts]
    return secrets


@pytest.fixture
def people(make_person):
    """The readers in the order of the page."""
    readers = [make_person(Role.READER, HOSPITAL) for _ in KEYS]
    return sorted(readers, key=lambda person: person.name)


class ResponseLog:
    """All responses to a page, in their order."""

    def __init__(self, page: Page) -> None:
        self.responses: list[Response] = []
        page.on("response", self._add)

    def _add(self, response: Response) -> None:
        self.responses.append(response)

    def texts(self) -> list[str]:
        responses = [
            response
            for response in self.responses
            if response.ok
            and not response.url.endswith(".png")
            and "/static/" not in response.url
        ]
        return [response.text() for response in responses]


def make_study(page: Page, people) -> str:
    """Create and open a study as an administrator; returns its address."""
    page.get_by_label("Name", exact=True).fill("Winter study")
    page.get_by_label("Question").fill(
        "Do readers tell malignant nodules better with SERA's answer?"
    )
    page.get_by_label("The newest").check()
    page.get_by_label("How many cases").fill(str(len(MALIGNANT)))
    for person in people:
        page.get_by_label(person.name).check()
    page.get_by_role("button", name="Create the draft").click()
    page.wait_for_url("**/studies/*-*")
    page.get_by_role("button", name="Open for reading").click()
    expect(page.get_by_text("open", exact=True)).to_be_visible()
    return page.url


def begin(page: Page) -> None:
    page.get_by_role("button", name="Begin").focus()
    page.keyboard.press("Enter")
    expect(
        page.get_by_role("heading", name="Case 1 of 4: your own reading")
    ).to_be_visible()


def store_reading(page: Page, keys: str) -> None:
    """Type a reading and store it as soon as the page accepts it."""
    expect(page.locator("#store")).to_be_enabled()
    for key in keys:
        page.keyboard.press(key)
    page.keyboard.press("Enter")


def read_all(
    page: Page, keys: tuple[tuple[str, str], ...], log: ResponseLog, secrets
) -> None:
    """Read all cases by keyboard. No response before a blind reading reveals a fact of the case."""
    begin(page)
    for number in range(1, len(keys) + 1):
        next_case = next(
            response
            for response in reversed(log.responses)
            if response.url.endswith("/next")
        )
        case_id = next_case.json()["case_id"]
        text = "".join(log.texts())
        assert [
            fact
            for fact in [*secrets[case_id], "mrn-70", "histology"]
            if fact.strip('"') in text
        ] == []
        blind, aided = keys[list(secrets).index(case_id)]
        store_reading(page, blind)
        expect(
            page.get_by_role("heading", name=f"Case {number} of 4: with SERA's answer")
        ).to_be_visible()
        expect(page.locator("#per-cent")).to_have_text(f"{blind[0]}0 %")
        expect(page.get_by_text("SERA's answer", exact=True)).to_be_visible()
        page.keyboard.press("p")
        page.keyboard.press("Escape")
        log.responses.clear()
        store_reading(page, aided)
        next_heading = (
            f"Case {number + 1} of 4: your own reading"
            if number < len(keys)
            else "Every case is read"
        )
        expect(page.get_by_role("heading", name=next_heading)).to_be_visible()


def test_two_readers_read_by_keyboard_and_the_administrator_sees_what_sera_changed(
    open_page, assert_accessible, screenshot, stage, people, secrets_by_case
):
    administrator_page = open_page(Role.HOSPITAL_ADMIN, HOSPITAL, path="/studies")
    assert_accessible(administrator_page)
    screenshot(administrator_page, "studies-desk", full=True)
    study = make_study(administrator_page, people)
    for number, person in enumerate(people, 1):
        page = open_page(person=person)
        log = ResponseLog(page)
        page.goto(f"{study}/read")
        read_all(page, KEYS[number], log, secrets_by_case)
    administrator_page.reload()
    for row, figures in (
        ("#auc tr:has-text('Reader 1')", "+0.250"),
        ("#auc tr:has-text('Reader 2')", "+0.125"),
    ):
        expect(administrator_page.locator(row)).to_contain_text(figures)
    expect(
        administrator_page.locator("#kappas tr", has_text="(Cohen)")
    ).to_contain_text("-0.50")
    expect(
        administrator_page.locator("#kappas tr", has_text="(Cohen)")
    ).to_contain_text("almost perfect")
    expect(
        administrator_page.locator("#times tr", has_text="Reader 2")
    ).to_contain_text("4 readings")
    expect(administrator_page.locator("#together")).to_contain_text(
        "the AUC changes by +0.18"
    )
    query = "SELECT min(hidden_ms) FROM reader_readings WHERE phase = 'aided' AND study_id = :study"
    assert stage.rows(query, study=study.rpartition("/")[2])[0][0] > 0
    assert_accessible(administrator_page)
    screenshot(administrator_page, "study-analysis-desk", full=True)
    phone_page = open_page(
        Role.HOSPITAL_ADMIN, HOSPITAL, phone=True, dark=True, language="ko", path=study
    )
    assert_accessible(phone_page)
    screenshot(phone_page, "study-analysis-phone-ko-dark", full=True)


@pytest.mark.parametrize(
    ("phone", "dark", "language"), [(False, True, "en"), (True, False, "ko")]
)
def test_the_reading_page_is_accessible(
    open_page,
    assert_accessible,
    screenshot,
    people,
    secrets_by_case,
    phone,
    dark,
    language,
):
    study = make_study(
        open_page(Role.HOSPITAL_ADMIN, HOSPITAL, path="/studies"), people
    )
    page = open_page(
        person=people[0],
        phone=phone,
        dark=dark,
        language=language,
        path=f"{study}/read",
    )
    name = f"reading-{'phone' if phone else 'desk'}-{language}-{'dark' if dark else 'light'}"
    assert_accessible(page)
    screenshot(page, f"{name}-start")
    page.locator("#go").click()
    expect(page.locator("#store")).to_be_enabled()
    assert_accessible(page)
    screenshot(page, f"{name}-blind", full=phone)
    readout = page.locator("#stage .viewer-readout")
    fitted = readout.text_content()
    page.keyboard.press("+")
    expect(readout).not_to_have_text(fitted)
    page.locator("#stage canvas").press("Home")
    expect(readout).to_have_text(fitted)
    page.keyboard.press("Enter")
    expect(page.locator("#missing")).not_to_be_empty()
    store_reading(page, "7m")
    expect(page.locator("#sera section")).to_be_visible()
    expect(page.locator("#store")).to_be_enabled()
    assert_accessible(page)
    screenshot(page, f"{name}-aided", full=phone)
