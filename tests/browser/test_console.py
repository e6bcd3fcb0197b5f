"""The console in a browser: hospitals, people, keys, queue, audit trail; the account page."""

import re

import httpx2
import pyotp
import pytest
from playwright.sync_api import expect

from shared.domain.jobs import Priority
from shared.domain.roles import Role
from shared.security.authenticators import RECOVERY_CODE_COUNT
from tests.support.builders import CASE
from tests.support.sign_in import NEW_PASSWORD

ADMINISTRATION = ("hospitals", "hospitals/north", "people", "keys")
SECTIONS = (
    *ADMINISTRATION,
    "datasets",
    "runs",
    "models",
    "queue",
    "monitoring",
    "audit",
)
PAGES = ("/account", *(f"/console/{section}" for section in SECTIONS))


def confirm(page):
    page.locator("#sure").get_by_role("button", name="Continue").click()


def secret_of(page):
    """The secret that the dialog shows once; closes the dialog."""
    output = page.locator("#secret-text")
    expect(output).to_have_text(re.compile("."))
    secret = output.inner_text()
    page.get_by_role("button", name="I have saved it").click()
    expect(page.get_by_text(secret)).to_have_count(0)
    return secret


def test_a_person_of_a_new_hospital_signs_in_with_the_password_they_were_given(
    open_page, screenshot
):
    page = open_page(Role.OPERATOR, path="/console/hospitals")
    page.get_by_label("Name").fill("east")
    page.get_by_role("button", name="Add a hospital").click()
    expect(page.get_by_role("link", name="east")).to_be_visible()
    screenshot(page, "console-hospitals")
    page.get_by_role("link", name="People").click()
    page.wait_for_url("**/people")
    page.wait_for_load_state()  # its scripts have run
    page.get_by_label("Name", exact=True).fill("e.ast@east")
    page.get_by_label("Role", exact=True).select_option("submitter")
    page.get_by_label("Hospital", exact=True).select_option("east")
    page.get_by_role("button", name="Add a person").click()
    password = secret_of(page)
    expect(page.get_by_role("row", name="e.ast@east")).to_contain_text(
        "one-time password"
    )
    screenshot(page, "console-people", full=True)
    person = open_page(None, path="/sign-in")
    person.get_by_label("Name", exact=True).fill("e.ast@east")
    person.get_by_label("Password", exact=True).fill(password)
    person.keyboard.press("Enter")
    person.get_by_label("Your new password", exact=True).fill(NEW_PASSWORD)
    person.get_by_label("Repeat the new password").fill(NEW_PASSWORD)
    person.keyboard.press("Enter")
    expect(person.get_by_label("Largest diameter")).to_be_visible()
    expect(person.get_by_text("e.ast@east")).to_be_visible()


def test_a_key_works_until_it_is_revoked(open_page, stage, stack_ledger, screenshot):
    with stack_ledger.system_session("test") as session:
        session.hospitals.ensure("north")
    page = open_page(Role.OPERATOR, path="/console/keys")
    page.get_by_label("Label").fill("PACS of the ward")
    page.get_by_label("Hospital", exact=True).select_option("north")
    page.get_by_role("button", name="Create a key").click()
    bearer = {"Authorization": f"Bearer {secret_of(page)}"}
    assert httpx2.get(f"{stage.stack.url}/v1/jobs", headers=bearer).status_code == 200
    row = page.get_by_role("row", name="PACS of the ward")
    row.get_by_role("button", name="Revoke").click()
    screenshot(page, "console-revoke")
    confirm(page)
    expect(page.locator("#status")).to_have_text("Revoked.")
    expect(row).to_contain_text("revoked")
    assert httpx2.get(f"{stage.stack.url}/v1/jobs", headers=bearer).status_code == 401


def test_an_overtaken_change_is_refused_and_shows_who_changed_the_settings(
    open_page, make_person
):
    administrator = make_person(Role.HOSPITAL_ADMIN, "west")
    operator_page = open_page(Role.OPERATOR, path="/console/hospitals/west")
    administrator_page = open_page(person=administrator, path="/console/hospital")
    administrator_page.get_by_label("Share of malignant nodules").fill("0.2")
    administrator_page.get_by_role("button", name="Save").click()
    expect(administrator_page.locator("#status")).to_contain_text("Saved")
    operator_page.get_by_label("Weight").fill("2")
    operator_page.get_by_role("button", name="Save").click()
    expect(operator_page.locator("#latest")).to_contain_text(
        f"{administrator.name} changed these settings last"
    )
    expect(operator_page.locator("#latest")).to_contain_text("not set → 0.2")
    operator_page.get_by_role("button", name="Reload").click()
    expect(operator_page.get_by_label("Share of malignant nodules")).to_have_value(
        "0.2"
    )


def test_failed_cases_are_queued_again_by_keyboard_alone(open_page, stack_ledger):
    with stack_ledger.system_session("test") as session:
        north = session.hospitals.ensure("north")
    with stack_ledger.hospital_session(north, "test") as hospital_session:
        case_id = hospital_session.cases.add(CASE)
        hospital_session.jobs.create(case_id, Priority.ROUTINE)
    page = open_page(Role.OPERATOR, path="/console/queue")
    row = page.get_by_role("row").filter(has_text="object-missing")
    button = row.get_by_role("button", name="Run all again")
    expect(button).to_be_visible()
    button.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#sure")).to_be_visible()
    expect(page.locator("#sure").get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#status")).to_have_text("Queued again.")


def test_the_audit_trail_is_verified(open_page, screenshot):
    page = open_page(Role.AUDITOR, path="/console/audit")
    page.get_by_role("button", name="Verify").click()
    expect(page.locator("#proof")).to_contain_text("are intact")
    screenshot(page, "console-audit")


def test_an_authenticator_is_turned_on(open_page, make_person, screenshot):
    person = make_person(Role.READER)
    page = open_page(person=person, path="/account")
    page.get_by_role("button", name="Turn it on").click()
    expect(page.get_by_alt_text("QR code for your authenticator")).to_be_visible()
    code = pyotp.TOTP(page.locator("#totp-secret").inner_text().replace(" ", "")).now()
    page.get_by_label("Six digits of the authenticator").fill(code)
    screenshot(page, "account-totp", full=True)
    page.keyboard.press("Enter")
    expect(page.locator("#codes li")).to_have_count(RECOVERY_CODE_COUNT)
    page.get_by_role("button", name="I have saved them").click()
    expect(page.get_by_role("button", name="Turn it off")).to_be_visible()


@pytest.mark.parametrize(
    ("language", "phone", "dark"),
    [pytest.param("en", False, False, marks=pytest.mark.long), ("ko", True, True)],
)
def test_every_page_of_the_console_is_accessible(
    open_page,
    assert_accessible,
    assert_fits,
    screenshot,
    make_person,
    language,
    phone,
    dark,
):
    make_person(Role.READER, "north")
    page = open_page(Role.OPERATOR, language=language, phone=phone, dark=dark)
    for path in PAGES:
        page.goto(path)
        assert_accessible(page)
        screenshot(
            page,
            f"{path.strip('/').replace('/', '-')}-{language}-{'phone' if phone else 'desk'}",
            full=phone,
        )
        assert_fits(page)
