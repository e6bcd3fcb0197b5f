import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from shared.errors import Unavailable
from shared.security.production_checks import UnsafeSettings, refuse_unsafe, warnings
from shared.settings import ROOT, Settings


@pytest.fixture
def closed(tmp_path: Path) -> Settings:
    tmp_path.chmod(0o700)
    return Settings(home=tmp_path)


def changed(settings: Settings, **values: object) -> Settings:
    return Settings(**settings.model_dump(exclude_unset=True) | values)


def test_nothing_is_said_of_safe_settings(closed):
    assert warnings(closed) == []


@pytest.mark.parametrize("host", ["0.0.0.0", "10.1.2.3", "::", "sera.example"])
def test_a_gateway_open_to_the_network_without_tls_is_unsafe(closed, host):
    (output,) = warnings(changed(closed, host=host))
    assert "SERA_PUBLIC_URL=https://" in output
    assert (
        "http://"
        in changed(closed, host=host, public_url="http://sera.example").public_url
    )
    assert (
        len(warnings(changed(closed, host=host, public_url="http://sera.example"))) == 1
    )
    assert warnings(changed(closed, host=host, public_url="https://sera.example")) == []


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.9.9.9"])
def test_a_gateway_of_this_machine_alone_is_safe(closed, host):
    assert warnings(changed(closed, host=host)) == []


def test_a_home_open_to_everyone_is_unsafe(closed, tmp_path):
    tmp_path.chmod(0o755)
    (output,) = warnings(closed)
    assert f"chmod o= {tmp_path}" in output


def test_the_default_home_is_unsafe_for_a_gateway_that_others_reach(closed):
    result = warnings(changed(closed, home=ROOT / ".sera", host="10.1.2.3"))
    assert any("Set SERA_HOME elsewhere" in item for item in result)


def as_login(database_url: str, user: str) -> str:
    return (
        make_url(database_url).set(username=user).render_as_string(hide_password=False)
    )


def test_a_login_that_bypasses_row_level_security_is_unsafe_and_the_services_login_is_not(
    closed, database_url
):
    (output,) = warnings(changed(closed, database_url=database_url))
    assert "SERA_DATABASE_OWNER_URL" in output
    assert (
        warnings(changed(closed, database_url=as_login(database_url, "sera_service")))
        == []
    )


def test_a_database_that_does_not_answer_is_said_to_be_away(closed, tmp_path):
    with pytest.raises(Unavailable, match="database cannot be reached"):
        warnings(changed(closed, database_url=f"postgresql://x@/sera?host={tmp_path}"))


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("broker_url", "redis://broker.example:6379/0"),
        ("broker_url", "redis://:short@broker.example:6379/0"),
        ("broker_url", "redis://:passwordpassword@broker.example:6379/0"),
        (
            "objects_url",
            "s3://minioadmin:minioadmin@store.example:9000/sera?secure=true",
        ),
        (
            "objects_url",
            "s3://long-enough-name:long-enough-name@store.example:9000/sera?secure=true",
        ),
        ("database_owner_url", "postgresql://sera@db.example/sera"),
        ("database_owner_url", "postgresql://sera@/sera?host=db.example"),
        ("database_owner_url", "postgresql://sera@127.0.0.1/sera?hostaddr=10.0.0.5"),
        (
            "database_owner_url",
            "postgresql://sera@/sera?host=localhost,db.example:5433",
        ),
        ("database_owner_url", "postgresql://sera@db.example/sera?password=short"),
    ],
)
def test_an_engine_on_the_network_with_no_secret_or_a_guessable_one_is_unsafe(
    closed, name, url
):
    (output,) = warnings(changed(closed, **{name: url}))
    assert f"SERA_{name.upper()}" in output


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("broker_url", "redis://127.0.0.1:6379/0"),
        ("broker_url", "redis+socket:///run/valkey.sock"),
        ("broker_url", "rediss://:x9fQ2mLr81aT@broker.example:6379/0"),
        ("objects_url", "s3://minioadmin:minioadmin@127.0.0.1:9000/sera"),
        ("objects_url", "s3://sera:x9fQ2mLr81aT@store.example/sera?secure=true"),
        ("objects_url", "file:///srv/sera/objects"),
        ("database_owner_url", "postgresql://sera@/sera?host=/run/postgresql"),
        ("database_owner_url", "postgresql://sera@/sera?host=localhost:5433"),
        ("database_owner_url", "postgresql://sera:x9fQ2mLr81aT@/sera?host=db.example"),
        ("database_owner_url", "postgresql://db.example/sera?password=x9fQ2mLr81aT"),
    ],
)
def test_an_engine_of_this_machine_or_with_a_drawn_secret_is_safe(closed, name, url):
    assert warnings(changed(closed, **{name: url})) == []


@pytest.mark.parametrize(
    "query", ["", "?secure=false", "?secure=true&secure=false", "?region=secure=true"]
)
def test_images_in_the_clear_between_machines_are_unsafe(closed, query):
    url = f"s3://sera:x9fQ2mLr81aT@store.example:9000/sera{query}"
    (output,) = warnings(changed(closed, objects_url=url))
    assert "secure=true" in output


@pytest.mark.parametrize(
    ("name", "url"),
    [
        (
            "database_owner_url",
            "postgresql://sera:{secret}@{host}/sera?sslmode=disable",
        ),
        ("database_owner_url", "postgresql://sera:{secret}@{host}/sera?sslmode=allow"),
        ("broker_url", "rediss://:{secret}@{host}/0?ssl_cert_reqs=none"),
        ("broker_url", "rediss://:{secret}@{host}/0?ssl_check_hostname=False"),
    ],
)
def test_an_engine_on_the_network_with_tls_turned_off_is_unsafe(closed, name, url):
    remote = url.format(secret="x9fQ2mLr81aT", host="engine.example")
    (output,) = warnings(changed(closed, **{name: remote}))
    assert f"SERA_{name.upper()}" in output
    local = url.format(secret="x9fQ2mLr81aT", host="127.0.0.1")
    assert warnings(changed(closed, **{name: local})) == []


@pytest.mark.parametrize(
    ("proxies", "unsafe"),
    [
        ("0.0.0.0/0", 1),
        ("10.0.0.1, ::/0", 1),
        ("0.0.0.0/0.0.0.0", 1),
        ("0.0.0.0/1,128.0.0.0/1", 1),
        ("::/1,8000::/1", 1),
        ("::ffff:0:0/96", 1),
        ("10.0.0.0/8", 0),
        ("::ffff:10.0.0.0/104", 0),
        ("fd00::/16", 0),
        ("::1", 0),
        ("", 0),
    ],
)
def test_believing_strangers_as_proxies_is_unsafe(closed, proxies, unsafe):
    assert len(warnings(changed(closed, trusted_proxies=proxies))) == unsafe


def test_production_names_every_unsafe_setting_and_does_not_start(closed):
    with pytest.raises(UnsafeSettings) as refused:
        refuse_unsafe(changed(closed, production=True, trusted_proxies="0.0.0.0/0"))
    assert "SERA_PUBLIC_URL=https://NAME" in str(refused.value)
    assert "SERA_TRUSTED_PROXIES" in str(refused.value)


def test_production_starts_with_safe_settings_and_anything_else_with_any(closed):
    safe = changed(closed, production=True, public_url="https://sera.example")
    assert refuse_unsafe(safe) is safe
    unsafe = changed(closed, trusted_proxies="0.0.0.0/0")
    assert refuse_unsafe(unsafe) is unsafe


@pytest.mark.parametrize(
    "service",
    [
        "api.__main__",
        "worker.__main__",
        "worker.shadow.__main__",
        "trainer.__main__",
        "beat.__main__",
    ],
)
def test_no_service_starts_unsafe_in_production(service, tmp_path, monkeypatch):
    module = import_module(f"services.{service}")
    monkeypatch.setenv("SERA_PRODUCTION", "1")
    monkeypatch.setenv("SERA_HOME", str(tmp_path))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # the shadow sets it for its process
    # Nor may the trainer and the shadow make the tests' own process nicer.
    monkeypatch.setattr(os, "nice", lambda increment: increment)
    monkeypatch.setattr(os, "setpriority", lambda which, who, priority: None)
    with pytest.raises(UnsafeSettings, match="SERA_PUBLIC_URL=https://NAME"):
        module.main()


def test_a_service_that_is_unsafe_ends_and_says_why(tmp_path):
    """The lightest of them, as a process."""
    env = {**os.environ, "SERA_PRODUCTION": "1", "SERA_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "services.beat"],
        env=env,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode != 0
    assert "SERA_PUBLIC_URL=https://NAME" in done.stderr
