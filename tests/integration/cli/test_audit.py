"""`./sera audit` on a database of its own, then on the file with none."""

import json
import os
import stat
import sys

import pytest
from structlog.testing import capture_logs

from cli.app import main
from services.worker.audit_sealing import Sealer
from shared.domain.audit.events import Event
from shared.ledger.audit.repository import EventFilter
from shared.objects import open_store
from shared.security.audit_signing import seal_key
from shared.security.last_seal import last_seal_places
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


@pytest.mark.parametrize("folder", ["none", "file"])
def test_a_place_that_cannot_be_written_is_named(
    trail, tmp_path, capsys, monkeypatch, folder
):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setattr(
        sys,
        "argv",
        ["sera", "audit", "export", "--out", str(tmp_path / folder / "export")],
    )
    with pytest.raises(SystemExit, match="1"):
        main()
    assert "[export-unwritable]" in capsys.readouterr().err


def test_an_export_follows_no_link_and_is_for_its_user_only(sera, trail, tmp_path):
    other_file = tmp_path / "other"
    other_file.write_text("kept")
    (tmp_path / f".export.{os.getpid()}").symlink_to(other_file)
    (tmp_path / "export").symlink_to(other_file)
    assert sera("export", "--out", str(tmp_path / "export"))[0] == 0
    assert other_file.read_text() == "kept"
    assert stat.S_IMODE((tmp_path / "export").lstat().st_mode) == 0o600


def rebuild(ledger):
    """Remove all seals, as the owner of the tables can."""
    with ledger.engine.begin() as connection:
        connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        connection.exec_driver_sql(
            "DELETE FROM audit_checkpoints; DELETE FROM audit_heads; DELETE FROM audit_seals"
        )


def test_a_witness_shows_that_the_seals_were_made_anew(sera, trail, ledger):
    code, line = sera("witness")
    assert (code, line.count("\n")) == (0, 1)
    assert sera("verify", "--witness", line)[0] == 0
    rebuild(ledger)
    assert sera("verify")[0] == 0, "nothing in the database shows it"
    code, output = sera("verify", "--witness", line)
    assert code == 1
    assert "the witness that you gave has that one" in output


def test_a_full_export_is_held_against_a_witness_too(sera, trail, ledger, tmp_path):
    _, line = sera("witness")
    file, later = tmp_path / "all.jsonl", tmp_path / "later.jsonl"
    sera("export", "--out", str(file))
    assert sera("verify", "--file", str(file), "--witness", line)[0] == 0
    rebuild(ledger)
    Sealer(ledger, lambda: seal_key(Settings())).seal()
    sera("export", "--out", str(later))
    assert sera("verify", "--file", str(later), "--witness", line)[0] == 1
    code, output = sera("verify", "--file", str(later), "--against", str(file))
    assert code == 1
    assert f"the one that {file} has" in output


def test_after_a_loss_on_purpose_sealing_goes_on_and_that_is_on_record(
    sera, trail, ledger
):
    settings = Settings()
    places = last_seal_places(settings, open_store(settings.objects))
    sealer = Sealer(ledger, lambda: seal_key(settings), places)
    with ledger.system_session("test") as session:
        session.audit.record(Event.MODEL_STORED, model="e" * 64)
    sealer.seal()
    _, line = sera("witness")
    rebuild(ledger)
    assert sera("verify")[0] == 1
    with capture_logs() as entries:
        sealer.seal()
    assert [entry["event"] for entry in entries] == ["audit.seals-interrupted"]
    code, output = sera("resume")
    assert code == 0
    assert line.strip() in output
    sealer.seal()
    assert sera("verify")[0] == 0
    with ledger.system_session("test") as session:
        (event,) = session.audit.page(filters=EventFilter(event=Event.SEALS_RESUMED))
    assert event.details == {"before": [line.split()[-1]], "after": None}


def test_a_damaged_last_seal_is_replaced_by_resuming(sera, trail):
    settings = Settings()
    path = settings.home / "keys" / "audit-last-seal"
    path.parent.mkdir(exist_ok=True)
    path.write_text("no seal")
    code, _ = sera("resume")
    assert code == 0
    assert path.read_text() != "no seal"
    assert sera("verify")[0] == 0


def test_a_line_that_is_no_witness_is_named(sera, trail, capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["sera", "audit", "verify", "--witness", "12"])
    with pytest.raises(SystemExit, match="1"):
        main()
    assert "[witness-unreadable]" in capsys.readouterr().err


def test_before_the_first_seal_there_is_no_witness(
    sera, ledger, database_url, capsys, monkeypatch
):
    monkeypatch.setenv("SERA_DATABASE_URL", database_url)
    monkeypatch.setattr(sys, "argv", ["sera", "audit", "witness"])
    with pytest.raises(SystemExit, match="1"):
        main()
    assert "[nothing-sealed]" in capsys.readouterr().err
