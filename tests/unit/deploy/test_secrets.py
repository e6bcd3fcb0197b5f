"""What a compose stack draws at its first start."""

import ssl

import pytest

from deploy.docker.secrets import (
    METRICS_KEY_FILE,
    METRICS_PART,
    METRICS_SERVICES,
    OBJECTS_HOST,
    StackSecrets,
    add_metrics_key,
    create_certificate,
    files_by_service,
    write_once,
)
from shared.security.audit_signing import SealKey
from shared.security.production_checks import engine_secrets, plain_objects
from shared.settings import Settings


@pytest.fixture(scope="module")
def stack_secrets() -> StackSecrets:
    return StackSecrets()


@pytest.fixture(scope="module")
def parts(stack_secrets):
    return files_by_service(stack_secrets)


def test_what_each_service_is_told_makes_settings_that_production_takes(parts):
    result = {
        name.removeprefix("SERA_").lower(): value
        for name, value in parts["api"].items()
        if name.startswith("SERA_")
    }
    settings = Settings(**result)
    assert settings.objects_url.get_secret_value().endswith("?secure=true")
    assert engine_secrets(settings) is None
    assert plain_objects(settings) is None


def test_no_part_learns_more_than_it_needs(parts):
    holders = {
        name: {part for part, files in parts.items() if name in files}
        for files in parts.values()
        for name in files
    }
    assert holders["SERA_AUDIT_KEY"] == {"worker"}
    assert holders["SERA_PEOPLE_KEY"] == {"api"}
    assert holders["SERA_DATABASE_OWNER_URL"] == {"migrate"}
    assert holders["owner-password"] == {"database"}
    assert "SERA_DATABASE_URL" not in parts["beat"]


def test_the_audit_key_seals(parts):
    assert SealKey(parts["worker"]["SERA_AUDIT_KEY"], "here").public


def test_a_client_that_trusts_the_stacks_authority_trusts_its_object_store_and_no_other_host(
    tmp_path,
):
    authority, certificate, private = create_certificate(OBJECTS_HOST)
    (tmp_path / "public.crt").write_text(certificate)
    (tmp_path / "private.key").write_text(private)
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(tmp_path / "public.crt", tmp_path / "private.key")
    client_side = ssl.create_default_context(cadata=authority)
    assert shaken(client_side, server_side, OBJECTS_HOST)
    with pytest.raises(ssl.SSLCertVerificationError):
        shaken(client_side, server_side, "database")


def shaken(client_side: ssl.SSLContext, server_side: ssl.SSLContext, host: str) -> bool:
    """Both sides of a handshake in memory."""
    to_server = ssl.MemoryBIO()
    to_client = ssl.MemoryBIO()
    client = client_side.wrap_bio(to_client, to_server, server_hostname=host)
    server = server_side.wrap_bio(to_server, to_client, server_side=True)
    waiting = {client, server}
    for side in (client, server) * 5:
        if side in waiting:
            try:
                side.do_handshake()
                waiting.remove(side)
            except ssl.SSLWantReadError:
                continue
    return not waiting


def test_a_second_start_draws_nothing_anew(tmp_path):
    assert write_once(tmp_path, files_by_service(StackSecrets()))
    first_url = (tmp_path / "api" / "SERA_DATABASE_URL").read_text()
    assert not write_once(tmp_path, files_by_service(StackSecrets()))
    assert (tmp_path / "api" / "SERA_DATABASE_URL").read_text() == first_url


def test_a_start_that_broke_off_is_begun_again(tmp_path, parts):
    write_once(tmp_path, parts)
    (tmp_path / "worker" / "stack_secrets").unlink()
    other_files = files_by_service(StackSecrets())
    assert write_once(tmp_path, other_files)
    assert (tmp_path / "worker" / "SERA_AUDIT_KEY").read_text() == other_files[
        "worker"
    ]["SERA_AUDIT_KEY"]


def test_a_stack_of_an_earlier_version_gets_the_key_of_the_metrics_and_keeps_the_rest(
    tmp_path, parts
):
    write_once(tmp_path, parts)
    keys = []
    for _ in range(2):
        add_metrics_key(tmp_path)
        keys.append((tmp_path / METRICS_PART / METRICS_KEY_FILE).read_text())
    assert keys[0] == keys[1]
    assert Settings(metrics_key=keys[0]).metrics_key.get_secret_value() == keys[0]
    for part in METRICS_SERVICES:
        assert (tmp_path / part / "SERA_METRICS_KEY").read_text() == keys[0]
    url = tmp_path / "api" / "SERA_DATABASE_URL"
    assert url.read_text() == parts["api"]["SERA_DATABASE_URL"]
