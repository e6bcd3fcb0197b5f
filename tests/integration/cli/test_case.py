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
from tests.support.command import command_words

Ran = tuple[int, str, str]


@pytest.fixture
def sera(url: str, ledger: Ledger, monkeypatch, capsys) -> Callable[..., Ran]:
    """Runs a command in this process with a key of this role; exit code, stdout and stderr."""
    monkeypatch.setenv("SERA_URL", url)

    def run(role: Role, *arguments: str) -> Ran:
        with ledger.system_session("test") as session:
            hospital = None
            if role is not Role.OPERATOR:
                hospital = session.hospitals.ensure("north")
            key = session.api_keys.create_text(role, hospital, "test")
        monkeypatch.setenv("SERA_KEY", key)
        monkeypatch.setattr(sys, "argv", ["sera", *command_words(*arguments)])
        with pytest.raises(SystemExit) as done:
            main()
        return done.value.code or 0, *capsys.readouterr()

    return run


@pytest.fixture
def case(url: str, ledger: Ledger) -> str:
    """The id of a case that the hospital north has submitted."""
    with ledger.system_session("test") as session:
        hospital = session.hospitals.ensure("north")
        key = session.api_keys.create_text(Role.SUBMITTER, hospital, "test")
    parts = form(png(1), external_id="A-7", roi='{"box": [10, 12, 80, 70]}')
    headers = {"Authorization": f"Bearer {key}"}
    answer = httpx2.post(f"{url}/v1/cases", headers=headers, **parts)
    return answer.json()["case_id"]


def test_a_case_is_shown_then_erased_then_told_to_be_gone(sera, case):
    code, stdout, _ = sera(Role.SUBMITTER, f"case show {case}")
    assert code == 0
    assert stdout.startswith(f"Case {case} (A-7) of 20")
    assert "Nodule: 14.5 mm, ROI {" in stdout
    assert "Outcome: not known." in stdout
    _, stdout, _ = sera(Role.SUBMITTER, f"case show {case} --json")
    assert json.loads(stdout)["external_id"] == "A-7"
    erase = f"case erase {case} --ground"
    code, stdout, _ = sera(Role.HOSPITAL_ADMIN, f"{erase} sent-by-mistake")
    assert (code, "(sent-by-mistake)" in stdout) == (0, True)
    _, stdout, _ = sera(Role.HOSPITAL_ADMIN, f"{erase} retention --json")
    assert json.loads(stdout)["ground"] == "sent-by-mistake"
    code, _, stderr = sera(Role.SUBMITTER, f"case show {case}")
    assert (code, "[case-erased]" in stderr) == (1, True)


def test_a_submitter_erases_nothing_and_a_ground_has_to_be_named(sera, case):
    code, _, stderr = sera(
        Role.SUBMITTER, f"case erase {case} --ground patient-request"
    )
    assert (code, "[forbidden]" in stderr) == (1, True)
    assert sera(Role.HOSPITAL_ADMIN, f"case erase {case}")[0] == 2


def test_how_long_cases_are_kept_is_set_and_shown_and_a_dry_run_changes_nothing(
    sera, case, ledger
):
    with ledger.engine.begin() as owner:
        owner.exec_driver_sql(
            "UPDATE cases SET created_at = created_at - interval '40 days'"
        )
        owner.exec_driver_sql("UPDATE jobs SET state = 'done'")
    change = "hospital set north --retention-days 30"
    notice = "erased after 30 days; older now, and erased with the next sweep: 1."
    assert notice in sera(Role.OPERATOR, f"{change} --dry-run")[1]
    shown_before = sera(Role.OPERATOR, "hospital show north")[1]
    assert "Its cases are kept for ever." in shown_before
    sera(Role.OPERATOR, change)
    assert notice in sera(Role.OPERATOR, "hospital show north")[1]
