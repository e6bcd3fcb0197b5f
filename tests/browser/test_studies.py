"""A reader study from its making to its figures, at a keyboard."""

import json

import pytest
from playwright.sync_api import Page, Response, expect

from shared.domain.roles import Role
from tests.support.builders import png

expect.set_options(timeout=60_000)
HOSPITAL = "studying"
SICK = (True, False, True, False)
SAID = {
    1: (("8m", "9"), ("6m", "2b"), ("4b", "7m"), ("3b", "")),
    2: (("7m", ""), ("2b", ""), ("6m", ""), ("6m", "3b")),
}
"""What each reader types of each case, blind and with SERA's answer: a figure for tens of per cent, and a decision."""


@pytest.fixture(scope="module")
def answered(stage):
    """Cases with a result and an outcome; by their ids, what a blind reader must not be told."""
    sender = stage.hospital(HOSPITAL)
    secrets = {}
    sent = [
        sender.accepted(png(40 + n), external_id=f"mrn-70{n}", size_mm=8)
        for n in range(len(SICK))
    ]
    for each, sick in zip(sent, SICK, strict=True):
        result = sender.job(each["job_id"])["result"]
        outcome = {"malignant": sick, "source": "histology"}
        assert (
            sender.http.post(
                f"/v1/cases/{each['case_id']}/outcome", json=outcome
            ).status_code
            == 201
        )
        told = (
            result["score"],
            result["risk"],
            result["fna"]["text"],
            result["warnings"][0]["message"],
        )
        secrets[each["case_id"]] = [json.dumps(fact) for fact in told]
    return secrets


@pytest.fixture
def people(make_person):
    """In the order in which the page offers them."""
    return sorted(
        (make_person(Role.READER, HOSPITAL) for _ in SAID), key=lambda each: each.name
    )


class Listener:
    """Every answer that a page was given, by when it came."""

    def __init__(self, page: Page) -> None:
        self.heard: list[Response] = []
        page.on("response", self._hear)

    def _hear(self, answer: Response) -> None:
        self.heard.append(answer)

    def texts(self) -> list[str]:
        told = [
            each for each in self.heard if each.ok and not each.url.endswith(".png")
        ]
        return [each.text() for each in told if "/static/" not in each.url]


def make_study(page: Page, people) -> str:
    """Made and opened by an administrator; its address."""
    page.get_by_label("Name", exact=True).fill("Winter study")
    page.get_by_label("Question").fill(
        "Do readers tell malignant nodules better with SERA's answer?"
    )
    page.get_by_label("The newest").check()
    page.get_by_label("How many cases").fill(str(len(SICK)))
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


def stored(page: Page, keys: str) -> None:
    """Type a reading and store it, once the desk takes it."""
    expect(page.locator("#store")).to_be_enabled()
    for key in keys:
        page.keyboard.press(key)
    page.keyboard.press("Enter")


def read_all(
    page: Page, said: tuple[tuple[str, str], ...], listener: Listener, secrets
) -> None:
    """By keyboard only; what came before each blind reading told nothing of the case."""
    begin(page)
    for number in range(1, len(said) + 1):
        shown = next(
            each for each in reversed(listener.heard) if each.url.endswith("/next")
        ).json()["case_id"]
        before = "".join(listener.texts())
        assert [
            fact
            for fact in [*secrets[shown], "mrn-70", "histology"]
            if fact.strip('"') in before
        ] == []
        blind, aided = said[list(secrets).index(shown)]
        stored(page, blind)
        expect(
            page.get_by_role("heading", name=f"Case {number} of 4: with SERA's answer")
        ).to_be_visible()
        expect(page.locator("#per-cent")).to_have_text(f"{blind[0]}0 %")
        expect(page.get_by_text("SERA's answer", exact=True)).to_be_visible()
        page.keyboard.press("p")
        page.keyboard.press("Escape")
        listener.heard.clear()
        stored(page, aided)
        ahead = (
            f"Case {number + 1} of 4: your own reading"
            if number < len(said)
            else "Every case is read"
        )
        expect(page.get_by_role("heading", name=ahead)).to_be_visible()


def test_two_readers_read_by_keyboard_and_the_administrator_sees_what_sera_changed(
    open_page, assert_accessible, screenshot, stage, people, answered
):
    chief = open_page(Role.HOSPITAL_ADMIN, HOSPITAL, path="/studies")
    assert_accessible(chief)
    screenshot(chief, "studies-desk", full=True)
    study = make_study(chief, people)
    for number, person in enumerate(people, 1):
        page = open_page(person=person)
        listener = Listener(page)
        page.goto(f"{study}/read")
        read_all(page, SAID[number], listener, answered)
    chief.reload()
    for row, figures in (
        ("#auc tr:has-text('Reader 1')", "+0.250"),
        ("#auc tr:has-text('Reader 2')", "+0.125"),
    ):
        expect(chief.locator(row)).to_contain_text(figures)
    expect(chief.locator("#kappas tr", has_text="(Cohen)")).to_contain_text("-0.50")
    expect(chief.locator("#kappas tr", has_text="(Cohen)")).to_contain_text(
        "almost perfect"
    )
    expect(chief.locator("#times tr", has_text="Reader 2")).to_contain_text(
        "4 readings"
    )
    expect(chief.locator("#together")).to_contain_text("the AUC changes by +0.18")
    query = "SELECT min(hidden_ms) FROM reader_readings WHERE phase = 'aided' AND study_id = :study"
    assert stage.rows(query, study=study.rpartition("/")[2])[0][0] > 0
    assert_accessible(chief)
    screenshot(chief, "study-analysis-desk", full=True)
    small = open_page(
        Role.HOSPITAL_ADMIN, HOSPITAL, phone=True, dark=True, language="ko", path=study
    )
    assert_accessible(small)
    screenshot(small, "study-analysis-phone-ko-dark", full=True)


@pytest.mark.parametrize(
    ("phone", "dark", "language"), [(False, True, "en"), (True, False, "ko")]
)
def test_the_reading_desk_shuts_nobody_out(
    open_page, assert_accessible, screenshot, people, answered, phone, dark, language
):
    study = make_study(open_page(Role.HOSPITAL_ADMIN, HOSPITAL, path="/studies"), people)
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
    page.keyboard.press("Enter")
    expect(page.locator("#missing")).not_to_be_empty()
    stored(page, "7m")
    expect(page.locator("#sera section")).to_be_visible()
    expect(page.locator("#store")).to_be_enabled()
    assert_accessible(page)
    screenshot(page, f"{name}-aided", full=phone)
