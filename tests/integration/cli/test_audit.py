"""`./sera audit` on a database of its own, then on the file with none."""

import json
import sys

import pytest

from cli.app import main
from services.worker.audit_sealing import Sealer
from shared.domain.audit.events import Event
from shared.security.audit_signing import seal_key
from shared.settings import Settings
from tests.support.command import command_words


@pytest.fixture
def sera(monkeypatch, capsys, tmp_path):
    """Runs `sera audit ...`; the exit code and the printed text."""
    monkeypatch.setenv("SERA_HOME", str(tmp_path / "home"))

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["sera", "audit", *command_words(*arguments)])
        with pytest.raises(SystemExit) as left:
            main()
        return left.value.code or 0, capsys.readouterr().out

    return run


@pytest.fixture
def trail(ledger, database_url, sera, monkeypatch, capsys):
    """A sealed trail of two hospitals and of the system, in the database of the commands."""
    monkeypatch.setenv("SERA_DATABASE_URL", database_url)
    with ledger.system_session("test") as session:
        north = session.hospitals.ensure("north")
        south = session.hospitals.ensure("south")
        session.audit.record(Event.MODEL_STORED, model="d" * 64)
    for hospital in (north, south):
        with ledger.hospital_session(hospital, "key:a") as hospital_session:
            hospital_session.audit.record(Event.CASE_ACCEPTED, image="a" * 64)
    Sealer(ledger, lambda: seal_key(Settings())).seal()
    capsys.readouterr()
    return north


def test_the_live_trail_is_proven_and_a_change_in_the_database_is_named(
    sera, trail, ledger
):
    code, output = sera("verify")
    assert (code, output) == (
        0,
        "The audit trail is whole: 5 events in 3 chains, 5 vouched for.\n",
    )
    with ledger.engine.begin() as connection:
        connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        connection.exec_driver_sql(
            f"UPDATE audit_events SET actor = 'x' WHERE number = 2 AND chain = '{trail}'"
        )
    code, output = sera("verify")
    assert code == 1
    assert output.startswith(f"Event 2 of chain {trail} was changed")
    assert "is NOT whole" in output


def test_a_hospitals_export_is_proven_without_a_database_and_shows_no_other(
    sera, trail, tmp_path, monkeypatch
):
    file = tmp_path / "north.jsonl"
    assert sera("export", "--hospital", "north", "--out", str(file))[0] == 0
    _, key = sera("key")
    monkeypatch.delenv("SERA_DATABASE_URL")
    monkeypatch.setenv("SERA_HOME", str(tmp_path / "elsewhere"))
    code, output = sera(f"verify --public-key {key.strip()} --json --file", str(file))
    body = json.loads(output)
    assert (code, body["whole"], body["events"], body["sealed"]) == (
        0,
        True,
        {str(trail): 3},
        {str(trail): 2},
    )
    assert sera("verify", "--file", str(file), "--public-key", "another")[0] == 1
    code, output = sera("verify", "--file", str(file))
    assert code == 0
    assert f"It was sealed with {key.strip()}: compare it" in output


def test_a_file_cut_off_is_found_and_an_earlier_export_bears_witness(
    sera, trail, tmp_path
):
    file = tmp_path / "all.jsonl"
    sera("export", "--out", str(file))
    lines = file.read_text().splitlines(keepends=True)
    cut = tmp_path / "cut.jsonl"
    cut.write_text("".join(lines[:2]))
    assert "does not end as it was written" in sera("verify", "--file", str(cut))[1]
    cut.write_text(
        lines[0]
        + lines[1]
        + json.dumps({"kind": "end", "events": 1, "seals": 0})
        + "\n"
    )
    assert sera("verify", "--file", str(cut))[0] == 0
    code, output = sera("verify", "--file", str(cut), "--against", str(file))
    assert code == 1
    assert "removed from its end" in output


def test_a_place_that_cannot_be_written_is_named(trail, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(
        sys,
        "argv",
        ["sera", "audit", "export", "--out", str(tmp_path / "none" / "file")],
    )
    with pytest.raises(SystemExit, match="1"):
        main()
    assert "[export-unwritable]" in capsys.readouterr().err
