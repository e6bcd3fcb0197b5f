"""`./sera case` and `./sera hospital set --retention-days` against a running gateway."""

import json
import sys
from collections.abc import Callable

import httpx2
import pytest

from cli.app import main
from shared.domain.roles import Role
from shared.ledger import Ledger
from tests.support.builders import form, png

Ran = tuple[int, str, str]


@pytest.fixture
def sera(url: str, ledger: Ledger, monkeypatch, capsys) -> Callable[..., Ran]:
    """Runs a command in this process with a key of this role: exit code, standard output, standard
    error.
    """
    monkeypatch.setenv("SERA_URL", url)

    def run(role: Role, *arguments: str) -> Ran:
        with ledger.system_session("test") as house:
            home = None if role is Role.OPERATOR else house.hospitals.ensure("north")
            monkeypatch.setenv(
                "SERA_KEY", house.api_keys.create_text(role, home, "test")
            )
        monkeypatch.setattr(sys, "argv", ["sera", *arguments])
        with pytest.raises(SystemExit) as done:
            main()
        return done.value.code or 0, *capsys.readouterr()

    return run


@pytest.fixture
def case(url: str, ledger: Ledger) -> str:
    with ledger.system_session("test") as house:
        key = house.api_keys.create_text(
            Role.SUBMITTER, house.hospitals.ensure("north"), "test"
        )
    sent = form(png(1), external_id="A-7", roi='{"box": [10, 12, 80, 70]}')
    return httpx2.post(
        f"{url}/v1/cases", headers={"Authorization": f"Bearer {key}"}, **sent
    ).json()["case_id"]


def test_a_case_is_shown_then_erased_then_told_to_be_gone(sera, case):
    code, output, _ = sera(Role.SUBMITTER, "case", "show", case)
    assert code == 0
    assert output.startswith(f"Case {case} (A-7) of 20")
    assert "Nodule: 14.5 mm, ROI {" in output
    assert "Outcome: not known." in output
    assert (
        json.loads(sera(Role.SUBMITTER, "case", "show", case, "--json")[1])[
            "external_id"
        ]
        == "A-7"
    )
    code, output, _ = sera(
        Role.HOSPITAL_ADMIN, "case", "erase", case, "--ground", "sent-by-mistake"
    )
    assert (code, "(sent-by-mistake)" in output) == (0, True)
    errors = json.loads(
        sera(
            Role.HOSPITAL_ADMIN,
            "case",
            "erase",
            case,
            "--ground",
            "retention",
            "--json",
        )[1]
    )
    assert errors["ground"] == "sent-by-mistake"
    code, _, errors = sera(Role.SUBMITTER, "case", "show", case)
    assert (code, "[case-erased]" in errors) == (1, True)


def test_a_submitter_erases_nothing_and_a_ground_has_to_be_named(sera, case):
    code, _, output = sera(
        Role.SUBMITTER, "case", "erase", case, "--ground", "patient-request"
    )
    assert (code, "[forbidden]" in output) == (1, True)
    assert sera(Role.HOSPITAL_ADMIN, "case", "erase", case)[0] == 2


def test_how_long_cases_are_kept_is_set_and_shown_and_a_dry_run_changes_nothing(
    sera, case, ledger
):
    with ledger.engine.begin() as owner:
        owner.exec_driver_sql(
            "UPDATE cases SET created_at = created_at - interval '40 days'"
        )
        owner.exec_driver_sql("UPDATE jobs SET state = 'done'")
    change = ("hospital", "set", "north", "--retention-days", "30")
    assert (
        "erased after 30 days; older now, and erased with the next sweep: 1."
        in sera(Role.OPERATOR, *change, "--dry-run")[1]
    )
    assert (
        "Its cases are kept for ever."
        in sera(Role.OPERATOR, "hospital", "show", "north")[1]
    )
    sera(Role.OPERATOR, *change)
    output = sera(Role.OPERATOR, "hospital", "show", "north")[1]
    assert (
        "erased after 30 days; older now, and erased with the next sweep: 1." in output
    )
