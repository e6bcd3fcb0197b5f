"""A backup is not trusted by its own hash, and nothing in it is run."""

import gzip
import hashlib
import json
from contextlib import closing
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from uuid import uuid4

import pytest
from psycopg2.errors import UndefinedColumn
from sqlalchemy import NullPool, create_engine

from shared.backup import KeysMissing, create_backup, restore, update_note
from shared.backup.files import file_part, open_compressed
from shared.backup.keys import plan_keys
from shared.backup.manifest import (
    BackupUnreadable,
    Manifest,
    manifest_signer,
)
from shared.backup.restore import RestoreDiffers
from shared.backup.signatures import MANIFEST_FORM, BackupUntrusted, sign
from shared.backup.withdrawal_notes import UNTRUSTED_NOTE, SealingKeyMissing, read_note
from shared.ledger import Ledger
from shared.ledger.backup.restore import RestoreTarget
from shared.ledger.schema.compatibility import head
from shared.settings import Settings
from tests.integration.backup.conftest import KEYS, TRUSTED

FOREIGN = {"audit-ed25519": "QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI="}
COMMAND = """id") FROM PROGRAM 'touch {path}' --"""


def forge(folder: Path, keys: dict[str, str], **changes: object) -> Path:
    """Change a backup's manifest as whoever may write to its folder can; returns its new folder."""
    manifest = Manifest.read(folder)
    content = json.dumps(manifest.model_dump(mode="json") | changes).encode()
    (folder / "manifest.json").write_bytes(content)
    (folder / "manifest.sig").unlink()
    if signature := sign(MANIFEST_FORM, content, keys):
        (folder / "manifest.sig").write_text(signature.model_dump_json())
    name = manifest.backup_name(hashlib.sha256(content).hexdigest())
    return folder.rename(folder.with_name(name))


def rewrite_role(folder: Path) -> dict[str, object]:
    """Make the submitter's key an operator's; returns the changed part of the manifest."""
    path = folder / "ledger" / "api_keys.gz"
    rows = gzip.decompress(path.read_bytes())
    path.unlink()
    with open_compressed(path) as stream:
        stream.write(rows.replace(b"\tsubmitter\t", b"\toperator\t"))
    tables = json.loads((folder / "manifest.json").read_text())["tables"]
    tables["api_keys"] |= file_part(path).model_dump()
    return {"tables": tables}


def test_a_column_that_would_run_a_command_is_no_name(
    hospital, backups, empty_url, fresh_objects, tmp_path
):
    hospital.submit(b"one")
    folder = create_backup(backups, hospital.source).folder
    tables = json.loads((folder / "manifest.json").read_text())["tables"]
    tables["hospitals"]["columns"] = [COMMAND.format(path=tmp_path / "ran")]
    name = forge(folder, KEYS, tables=tables).name
    with pytest.raises(BackupUnreadable):
        restore(backups, empty_url, fresh_objects, trusted_keys=None, name=name)
    assert not (tmp_path / "ran").exists()


def test_the_loader_quotes_the_names_of_columns(empty_url, tmp_path):
    column = COMMAND.format(path=tmp_path / "ran")
    engine = create_engine(empty_url, poolclass=NullPool)
    with engine.connect() as connection:
        target = RestoreTarget(connection)
        target.create_schema(head())
        with pytest.raises(UndefinedColumn):
            target.load("hospitals", [column], BytesIO())
    assert not (tmp_path / "ran").exists()


def test_a_column_that_the_schema_does_not_have_is_refused(
    hospital, backups, empty_url, fresh_objects
):
    folder = create_backup(backups, hospital.source).folder
    tables = json.loads((folder / "manifest.json").read_text())["tables"]
    tables["hospitals"]["columns"].append("other")
    name = forge(folder, KEYS, tables=tables).name
    with pytest.raises(RestoreDiffers, match="hospitals"):
        restore(backups, empty_url, fresh_objects, trusted_keys=TRUSTED, name=name)


@pytest.mark.parametrize("keys", [{}, FOREIGN])
def test_a_rewritten_role_is_not_restored(
    hospital, backups, empty_url, fresh_objects, keys
):
    folder = create_backup(backups, hospital.source).folder
    name = forge(folder, keys, **rewrite_role(folder)).name
    with pytest.raises(BackupUntrusted):
        restore(backups, empty_url, fresh_objects, trusted_keys=TRUSTED, name=name)
    with pytest.raises(BackupUntrusted):
        restore(backups, empty_url, fresh_objects, trusted_keys=(), name=name)
    backups.withdrawals_file.unlink()
    restore(backups, empty_url, fresh_objects, trusted_keys=None, name=name)
    with (
        closing(Ledger(empty_url, pool_size=1)) as ledger,
        ledger.system_session("test") as session,
    ):
        assert {key.role for key in session.api_keys.all()} == {"operator"}, (
            "without the signature the attack succeeds"
        )


def test_a_backup_names_the_key_that_signed_it(hospital, backups):
    folder = create_backup(backups, hospital.source).folder
    assert manifest_signer(folder) == TRUSTED[0]
    (folder / "manifest.json").write_text("{}")
    assert manifest_signer(folder) is None


def test_where_the_sealing_key_is_not_a_backup_is_not_signed(hospital, backups):
    folder = create_backup(backups, replace(hospital.source, keys={})).folder
    assert manifest_signer(folder) is None


def test_a_foreign_key_in_a_backup_is_not_restored(hospital, backups, tmp_path):
    backup = create_backup(backups, hospital.source, with_keys=True)
    (backup.folder / "keys" / "audit-ed25519").write_text(FOREIGN["audit-ed25519"])
    with pytest.raises(KeysMissing):
        plan_keys(
            Settings(home=tmp_path / "home"),
            backup.manifest.keys,
            backup.folder,
            allow_missing=False,
        )


def test_a_note_with_erasures_of_somebody_else_is_neither_applied_nor_signed(
    hospital, backups, empty_url, fresh_objects
):
    case, _ = hospital.submit(b"one")
    create_backup(backups, hospital.source)
    note = json.loads(backups.withdrawals_file.read_text())
    note["cases"] = {str(case): "retention"}
    backups.withdrawals_file.write_text(json.dumps(note))
    with pytest.raises(BackupUntrusted, match=r"withdrawn\.json"):
        restore(backups, empty_url, fresh_objects, trusted_keys=TRUSTED)
    update_note(backups, hospital.url, KEYS)
    assert read_note(backups, TRUSTED).cases == {}
    assert (backups.root / UNTRUSTED_NOTE.format(number="")).exists()


def test_a_signed_note_keeps_its_signature_where_the_key_is_not(hospital, backups):
    create_backup(backups, hospital.source)
    before = backups.withdrawals_file.read_bytes()
    with pytest.raises(SealingKeyMissing):
        update_note(backups, hospital.url, {})
    assert backups.withdrawals_file.read_bytes() == before
    assert read_note(backups, TRUSTED).cases == {}


def test_a_note_that_was_set_aside_is_not_lost_by_the_next_one(hospital, backups):
    create_backup(backups, hospital.source)
    for number in ("", "-2"):
        backups.withdrawals_file.write_text(
            json.dumps({"known_at": "", "cases": {}, "keys": []})
        )
        update_note(backups, hospital.url, KEYS)
        assert (backups.root / UNTRUSTED_NOTE.format(number=number)).exists()


def test_rows_are_loaded_by_a_role_that_is_no_superuser(empty_url, tmp_path):
    rows = tmp_path / "rows"
    rows.write_text(f"{uuid4()}\tnorth\n")
    engine = create_engine(empty_url, poolclass=NullPool)
    with engine.connect() as connection:
        target = RestoreTarget(connection)
        target.create_schema(head())
        connection.exec_driver_sql(
            "ALTER TABLE hospitals ADD loader text DEFAULT current_user"
        )
        with target.empty_tables(), rows.open("rb") as stream:
            assert target.load("hospitals", ["id", "name"], stream) == 1
        loader = connection.exec_driver_sql(
            "SELECT rolname, rolsuper FROM hospitals JOIN pg_roles ON rolname = loader"
        ).one()
        privileges = connection.exec_driver_sql(
            "SELECT pg_has_role('sera_house', 'pg_execute_server_program', 'MEMBER')"
        ).scalar()
    assert (*loader, privileges) == ("sera_house", False, False)
