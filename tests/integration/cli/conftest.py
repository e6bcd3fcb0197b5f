"""A gateway that listens, for commands that run in the test's own process."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from deploy.local import EmbeddedEngines
from shared.domain.roles import Role
from shared.ledger import Ledger
from shared.observability.logs import configure_stderr
from shared.settings import Settings
from tests.support.app import create_app
from tests.support.http_server import at_an_address


@pytest.fixture(autouse=True)
def nothing_but_what_commands_say() -> Iterator[None]:
    """The gateway runs in this very process; its log goes to its own file elsewhere."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    yield
    configure_stderr()


@pytest.fixture
def url(database_url: str, engines: EmbeddedEngines, tmp_path: Path) -> Iterator[str]:
    """Where the gateway answers, on a port of its own."""
    settings = Settings(
        home=tmp_path, database_url=database_url, broker_url=engines.broker_url
    )
    with at_an_address(create_app(settings)) as address:
        yield address


@pytest.fixture
def operator(
    url: str, database_url: str, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment in which an operator gives commands."""
    with ledger.system_session("test") as session:
        monkeypatch.setenv(
            "SERA_KEY", session.api_keys.create_text(Role.OPERATOR, None, "test")
        )
    monkeypatch.setenv("SERA_URL", url)
    monkeypatch.setenv("SERA_DATABASE_URL", database_url)
