"""What the doctor says of a SERA that serves, and of one that does not as it should."""

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from sqlalchemy import text

from cli.commands import doctor
from cli.commands.doctor import run_check
from cli.output.check import Verdict
from cli.work.diagnosis import (
    Addresses,
    backup,
    broker,
    certificate,
    checks,
    clocks,
    queue,
    recipes,
    schema,
    workers,
)
from shared.domain.audit.events import Event
from shared.domain.jobs import Priority
from shared.ledger.schema.migrate import migrate
from shared.ledger.training.trainers import MissingWeights
from shared.settings import Settings
from tests.later_release import later_release
from tests.support.builders import CASE


@pytest.fixture
def engine_addresses(database_url: str, engines, tmp_path: Path) -> Addresses:
    return Addresses(database_url, engines.broker_url, (tmp_path / "objects").as_uri())


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path)


def test_a_kernel_that_cannot_confine_a_process_is_noted(settings, monkeypatch):
    assert doctor.sandbox(settings).verdict is Verdict.OK
    monkeypatch.setattr(doctor, "missing_mechanisms", lambda: ("seccomp", "Landlock"))
    verdict, detail = doctor.sandbox(settings)
    assert verdict is Verdict.NOTE
    assert "no seccomp and no Landlock" in detail


def test_a_port_that_a_gateway_answers_at_is_no_fault(settings, url):
    port = int(url.rsplit(":", 1)[1])
    assert doctor.port(settings.model_copy(update={"port": port})) == (
        Verdict.OK,
        f"SERA answers at {port} already",
    )


def test_a_port_that_a_stranger_has_is_a_fault(settings):
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        busy_settings = settings.model_copy(update={"port": stranger.getsockname()[1]})
        verdict, detail = run_check(doctor.port, busy_settings)
    assert verdict is Verdict.FAIL
    assert "set SERA_PORT" in detail


def test_engines_of_today_are_told_with_their_versions_and_clocks(
    settings, engine_addresses
):
    assert broker(settings, engine_addresses)[1].startswith("valkey 9.")
    assert clocks(settings, engine_addresses)[0] is Verdict.OK
    assert schema(settings, engine_addresses)[0] is Verdict.OK


def test_a_clock_that_is_off_is_a_word_of_warning_and_past_what_codes_forgive_a_fault(
    settings, engine_addresses, monkeypatch
):
    for ahead_s, verdict in ((5.0, Verdict.NOTE), (-60.0, Verdict.FAIL)):
        monkeypatch.setattr(
            "cli.work.diagnosis._broker_now_s",
            lambda engines, ahead_s=ahead_s: time.time() + ahead_s,
        )
        found, detail = clocks(settings, engine_addresses)
        assert (found, "timedatectl" in detail) == (verdict, True)


def test_a_schema_that_waits_for_its_migrations_is_a_fault_with_the_step(
    settings, engine_addresses, tmp_path
):
    with later_release(tmp_path):
        verdict, detail = run_check(
            lambda settings: schema(settings, engine_addresses), settings
        )
    assert (verdict, "python -m shared.ledger migrate" in detail) == (
        Verdict.FAIL,
        True,
    )


def test_a_schema_of_a_later_release_that_goes_with_this_one_is_told(
    settings, engine_addresses, tmp_path
):
    with later_release(tmp_path):
        migrate(engine_addresses.database)
    verdict, detail = schema(settings, engine_addresses)
    assert (verdict, "Update this machine too" in detail) == (Verdict.NOTE, True)


def test_a_schema_of_before_the_first_release_is_a_fault_with_the_step(
    settings, engine_addresses, ledger
):
    with ledger.engine.begin() as line:
        line.execute(text("UPDATE alembic_version SET version_num = '0019'"))
    verdict, detail = run_check(
        lambda settings: schema(settings, engine_addresses), settings
    )
    assert (verdict, "set SERA_HOME to a new folder" in detail) == (Verdict.FAIL, True)


def test_a_queue_is_told_with_its_oldest_and_its_dead(
    settings, engine_addresses, ledger
):
    assert queue(settings, engine_addresses)[0] is Verdict.OK
    with ledger.system_session("test") as session:
        hospital = session.hospitals.ensure("north")
    with ledger.hospital_session(hospital, "test") as hospital_session:
        hospital_session.jobs.create(hospital_session.cases.add(CASE), Priority.ROUTINE)
        failed = hospital_session.jobs.create(
            hospital_session.cases.add(CASE), Priority.ROUTINE
        )
    with ledger.engine.begin() as line:
        line.execute(
            text("UPDATE jobs SET state = 'failed' WHERE id = :job"), {"job": failed}
        )
    verdict, detail = queue(settings, engine_addresses)
    assert (verdict, "1 dead letters" in detail) == (Verdict.NOTE, True)
    with ledger.engine.begin() as line:
        line.execute(
            text(
                "UPDATE jobs SET available_at = available_at - interval '1 hour' WHERE state = "
                "'queued'"
            )
        )
    assert queue(settings, engine_addresses)[0] is Verdict.FAIL


def test_workers_that_are_there_are_named_and_none_is_a_fault(
    settings, engine_addresses, ledger
):
    assert workers(settings, engine_addresses)[0] is Verdict.FAIL
    with ledger.system_session("worker") as session:
        session.serving.report("machine-1", None)
    verdict, detail = workers(settings, engine_addresses)
    assert (verdict, "machine-1 serves nothing" in detail) == (Verdict.NOTE, True)


def test_recipes_without_their_weights_are_told_with_the_files(
    settings, engine_addresses, ledger
):
    lack = MissingWeights("vgg19", "vgg19.pth", "/weights", "")
    with ledger.system_session("trainer") as session:
        session.trainers.report(
            "machine-1",
            {
                "koh2020": [lack],
                "light": [MissingWeights("x", "x.pth", "/weights", "https://x")],
            },
        )
    verdict, detail = recipes(settings, engine_addresses)
    assert (verdict, "koh2020 lacks vgg19.pth" in detail, "light" in detail) == (
        Verdict.NOTE,
        True,
        False,
    )


def test_a_backup_is_told_with_its_age_and_one_that_is_late_with_the_step(
    settings, engine_addresses, ledger
):
    assert "None was ever made" in backup(settings, engine_addresses)[1]
    with ledger.system_session("cli") as session:
        session.audit.record(
            Event.BACKUP_MADE, backup="20261125", schema="r0001", files=1
        )
    assert backup(settings, engine_addresses)[0] is Verdict.OK
    stale_settings = settings.model_copy(update={"backup_within_h": 0.0})
    verdict, detail = backup(stale_settings, engine_addresses)
    assert (verdict, "./sera backup FOLDER" in detail) == (Verdict.NOTE, True)


def test_where_nothing_runs_it_says_so_once(settings):
    found = checks(settings)
    assert list(found) == ["service", "certificate"]
    assert found["service"](settings)[0] is Verdict.NOTE


@pytest.mark.parametrize(
    ("days", "verdict", "sentence"),
    [
        (90, Verdict.OK, "good for"),
        (10, Verdict.NOTE, "Renew it now"),
        (-1, Verdict.FAIL, "expired"),
    ],
)
def test_a_certificate_is_told_before_it_ends(
    tmp_path, monkeypatch, days, verdict, sentence
):
    path = make_certificate(tmp_path, days)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    with presented(path) as port:
        found, detail = certificate(
            Settings(home=tmp_path, public_url=f"https://localhost:{port}")
        )
    assert (found, sentence in detail) == (verdict, True), detail


def make_certificate(folder: Path, days: int) -> Path:
    """A certificate of our own for localhost, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "us")])
    now = datetime.now(UTC)
    built = x509.CertificateBuilder(
        name, name, key.public_key(), x509.random_serial_number()
    )
    built = built.not_valid_before(now - timedelta(days=100)).not_valid_after(
        now + timedelta(days=days, hours=1)
    )
    built = built.add_extension(
        x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False
    )
    form = serialization.PrivateFormat.PKCS8
    private = key.private_bytes(
        serialization.Encoding.PEM, form, serialization.NoEncryption()
    )
    path = folder / "certificate.pem"
    path.write_bytes(
        built.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        + private
    )
    return path


@contextmanager
def presented(path: Path) -> Iterator[int]:
    """A port at which somebody answers once with this certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            line, _ = listening.accept()
            try:
                context.wrap_socket(line, server_side=True).close()
            except OSError:
                line.close()

        answering = threading.Thread(target=answer)
        answering.start()
        yield listening.getsockname()[1]
        answering.join()
