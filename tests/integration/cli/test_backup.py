"""The commands as a person reads them: a stopped home is backed up, lost, and restored."""

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.app import app
from deploy.local import Stack
from deploy.local.services import SERVICES
from shared.backup import KeysMissing
from shared.backup.signatures import BackupUntrusted
from shared.security.audit_signing import seal_key, seal_key_file
from shared.settings import Settings


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of a SERA that has stopped, with its sealing key."""
    path = tmp_path / "home"
    monkeypatch.setenv("SERA_HOME", str(path))
    with Stack(
        path, services=[child for child in SERVICES if child.one_shot], durable=False
    ):
        seal_key(Settings())
    return path


def test_a_home_is_backed_up_while_it_is_stopped_and_comes_back_with_its_key(
    home: Path, tmp_path: Path
) -> None:
    backups = tmp_path / "backups"
    key = tmp_path / "audit-ed25519"
    output = run("backup", backups).output
    assert "is whole" in output
    assert "The keys that seal the audit trail" in output
    assert "are as they were written" in run("backup", "verify", backups).output
    assert run("backup", "note", backups).output.startswith("Known by")
    assert "0 backups went" in run("backup", "prune", backups, "--keep", 1).output
    shutil.copy(seal_key_file(Settings()), key)
    public = run("audit", "key").output.strip()
    assert "which you trust" in run("backup", "verify", backups).output
    shutil.rmtree(home)
    assert "proves nothing until" in run("backup", "verify", backups).output
    trusted = ("backup", "verify", backups, "--trusted")
    assert (run(*trusted, public).exit_code, run(*trusted, "other").exit_code) == (0, 1)
    assert isinstance(run("restore", backups).exception, BackupUntrusted)
    refused = run("restore", backups, "--trusted", public)
    assert isinstance(refused.exception, KeysMissing)
    (home / "keys").mkdir(parents=True, mode=0o700)
    shutil.copy(key, home / "keys")
    done = run("restore", backups)
    assert done.exit_code == 0, done.output
    assert (
        f"Restored from {run('backup', 'list', backups).output.strip()}"
        in done.output.replace("\n", " ")
    )
    assert "The audit trail is whole" in done.output
    assert "no backup knows" in done.output
    assert (
        getattr(run("restore", backups).exception, "code", None) == "database-not-empty"
    )


def test_where_there_is_no_ledger_nothing_is_backed_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERA_HOME", str(tmp_path / "nowhere"))
    assert run("backup", tmp_path / "backups").exception.code == "nothing-to-back-up"
    assert not (tmp_path / "nowhere").exists()
