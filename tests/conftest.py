"""Engines shared by the tests: one PostgreSQL, one Valkey for the session; a fresh database for each test that asks.

And networks with weights that cost nothing to draw.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from uuid import uuid4

import pytest
import torch
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from torch import Tensor, nn
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from deploy.local import EmbeddedEngines
from shared.bundles import save
from shared.imaging.decoders.bounds import Bounds
from shared.imaging.decoders.pool import Decoders
from shared.learning import fit, phantom_samples
from shared.ledger import Ledger
from shared.ledger.migrate import migrate
from shared.networks import WeightsFinder, blank, get_network
from shared.recipes import read_recipe
from tests.browser.chromium import HOW
from tests.builders import SMALL_RECIPE

ROOT = Path(__file__).resolve().parents[1]


class ByFolder(LoadScopeScheduling):
    """Side by side, a folder's tests stay together, for they share what is costly to make: a stack, fitted models."""

    def _split_scope(self, nodeid: str) -> str:
        return nodeid.partition("::")[0].rpartition("/")[0]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFolder:
    return ByFolder(config, log)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say in the end what a machine without a browser has not tried."""
    skipped = [
        each
        for each in terminalreporter.stats.get("skipped", [])
        if "no Chromium" in str(each.longrepr)
    ]
    if skipped:
        told = f"SERA: {len(skipped)} browser tests were skipped, for there is no Chromium. To run them, as root: {HOW}"
        terminalreporter.write_line(told, yellow=True)


@pytest.fixture(scope="session")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedEngines]:
    """PostgreSQL and Valkey, the ones `./sera up` starts."""
    with EmbeddedEngines(tmp_path_factory.mktemp("engines"), durable=False) as running:
        yield running


@pytest.fixture(scope="session")
def migrated(engines: EmbeddedEngines) -> str:
    """Name of a migrated database that new ones are copied from."""
    url = make_url(engines.database_url)
    _execute(url, 'CREATE DATABASE "template_sera"')
    migrate(url.set(database="template_sera").render_as_string(hide_password=False))
    return "template_sera"


@pytest.fixture
def database_url(engines: EmbeddedEngines, migrated: str) -> Iterator[str]:
    """A fresh, migrated database."""
    with fresh_database(engines, migrated) as url:
        yield url


@pytest.fixture
def ledger(database_url: str) -> Iterator[Ledger]:
    opened = Ledger(database_url)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def decoders() -> Iterator[Decoders]:
    """The processes that a worker has images decoded in."""
    started = Decoders(Bounds(), 1)
    yield started
    started.close()


@pytest.fixture(scope="session")
def first_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle fitted in seconds, as a model made elsewhere."""
    folder = tmp_path_factory.mktemp("bundles") / "small"
    weights = WeightsFinder(None, Path("nowhere"), download=False)
    save(
        fit(phantom_samples(24, 0, 0.1), read_recipe(SMALL_RECIPE), weights), folder, synthetic=True
    )
    return folder


@pytest.fixture(scope="session")
def drawn() -> Tensor:
    """A million normal numbers, enough for every network when they are repeated."""
    return torch.randn(1 << 20, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="session")
def filled(drawn) -> Callable[[str], nn.Module]:
    """A whole network in eval mode whose layers keep the variance of what passes through them."""

    def fill(name: str) -> nn.Module:
        module = blank(get_network(name)).to_empty(device="cpu").eval().requires_grad_(False)
        for key, tensor in module.state_dict().items():
            tensor.copy_(values(key, tensor.shape))
        return module

    def values(key: str, shape: torch.Size) -> Tensor:
        if len(shape) > 1:
            repeats = -(-prod(shape) // len(drawn))
            numbers = drawn.repeat(repeats)[: prod(shape)].reshape(shape)
            return numbers.mul_((2 / prod(shape[1:])) ** 0.5)
        return torch.full(shape, float(key.endswith(("var", "weight"))))

    return fill


@contextmanager
def fresh_database(engines: EmbeddedEngines, migrated: str) -> Iterator[str]:
    """For a fixture that several tests share."""
    url, name = make_url(engines.database_url), f"test_{uuid4().hex}"
    _execute(url, f'CREATE DATABASE "{name}" TEMPLATE "{migrated}"')
    yield url.set(database=name).render_as_string(hide_password=False)
    _execute(url, f'DROP DATABASE "{name}" WITH (FORCE)')


def _execute(url, statement: str) -> None:
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()
