from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import make_url

from cli.safety import warnings
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
    (told,) = warnings(changed(closed, host=host))
    assert "SERA_PUBLIC_URL=https://" in told
    assert "http://" in changed(closed, host=host, public_url="http://sera.example").public_url
    assert len(warnings(changed(closed, host=host, public_url="http://sera.example"))) == 1
    assert warnings(changed(closed, host=host, public_url="https://sera.example")) == []


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.9.9.9"])
def test_a_gateway_of_this_machine_alone_is_safe(closed, host):
    assert warnings(changed(closed, host=host)) == []


def test_a_home_open_to_everyone_is_unsafe(closed, tmp_path):
    tmp_path.chmod(0o755)
    (told,) = warnings(closed)
    assert f"chmod o= {tmp_path}" in told


def test_the_default_home_is_unsafe_for_a_gateway_that_others_reach(closed):
    told = warnings(changed(closed, home=ROOT / ".sera", host="10.1.2.3"))
    assert any("Set SERA_HOME elsewhere" in each for each in told)


@pytest.fixture
def plain_url(database_url):
    """The same database as a role sees it that may log in and nothing else."""
    engine = sa.create_engine(database_url)
    with engine.begin() as line:
        line.exec_driver_sql("CREATE ROLE plain_service LOGIN")
    yield make_url(database_url).set(username="plain_service").render_as_string(hide_password=False)
    with engine.begin() as line:
        line.exec_driver_sql("DROP ROLE plain_service")
    engine.dispose()


def test_a_database_role_that_can_do_everything_is_unsafe_and_a_plain_one_is_not(closed, database_url, plain_url):
    (told,) = warnings(changed(closed, database_url=database_url))
    assert "superuser" in told
    assert warnings(changed(closed, database_url=plain_url)) == []
