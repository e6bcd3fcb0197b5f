"""Fixtures for every test: PostgreSQL and Valkey once in a process, a fresh database for each test
that asks for one.

And a small model that is fitted once in a run, and networks with weights that cost nothing to draw.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, lru_cache, partial
from importlib import import_module
from math import prod
from pathlib import Path
from tempfile import mkdtemp
from unittest.mock import patch
from uuid import uuid4

import pytest
import torch
from hypothesis import settings
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.engine import URL, make_url
from torch import Tensor, nn

from deploy.local import EmbeddedEngines
from shared.bundles import first_load, save
from shared.imaging.sandbox.bounds import Bounds
from shared.imaging.sandbox.pool import SandboxPool
from shared.learning import FittedModel
from shared.ledger import Ledger
from shared.ledger.schema.migrate import migrate
from shared.networks import build_without_weights, get_network
from tests.support import builders
from tests.support.bundle_check import SharedBundleCheck
from tests.support.run_cache import RunCache
from tests.support.statement_cache import shared_statements

settings.register_profile(
    "tests", deadline=None
)  # how fast an example is says nothing of a busy machine
settings.load_profile("tests")

MEMORY = Path("/dev/shm")
"""A file system in memory. A database is copied in a tenth of the time that an ext4 disk takes."""
MEMORY_NEEDED_BYTES = 1 << 30
PHANTOM_SAMPLES = import_module("shared.learning.samples.phantoms")
"""The package offers a function of the same name."""
PHANTOMS_KEPT = 500
"""Nodules of a hundred kilobytes each at most."""


@pytest.fixture(scope="session")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedEngines]:
    """PostgreSQL and Valkey, the ones `./sera up` starts, but nothing is forced to the disk."""
    folder = _folder_in_memory() or tmp_path_factory.mktemp("engines")
    with EmbeddedEngines(folder, durable=False) as running:
        yield running
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def migrated(engines: EmbeddedEngines) -> Iterator[str]:
    """Name of a migrated database that new ones are copied from."""
    url = make_url(engines.database_url)
    _execute(url, 'CREATE DATABASE "template_sera"')
    migrate(url.set(database="template_sera").render_as_string(hide_password=False))
    with shared_statements(engines.database_url):
        yield "template_sera"


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


@pytest.fixture(scope="session", autouse=True)
def phantoms_drawn_once() -> Iterator[None]:
    """The same seed is the same nodule; many tests learn from the same few dozen."""
    drawn_once = lru_cache(maxsize=PHANTOMS_KEPT)(PHANTOM_SAMPLES.draw_image)
    with patch.object(PHANTOM_SAMPLES, "draw_image", drawn_once):
        yield


@pytest.fixture(scope="session", autouse=True)
def one_process_checks_bundles() -> Iterator[None]:
    """The same bundle is fetched by many tests."""
    shared_check = SharedBundleCheck()
    with patch.object(first_load, "open_process", shared_check.lend):
        yield
    shared_check.close()


@pytest.fixture(scope="session")
def decoders() -> Iterator[SandboxPool]:
    """The processes that a worker has images decoded in."""
    started = SandboxPool(Bounds(), 1)
    yield started
    started.close()


@pytest.fixture(scope="session")
def small_model() -> FittedModel:
    """A model of the small recipe, not to be changed."""
    return builders.small_model()


@pytest.fixture(scope="session")
def first_bundle(small_model: FittedModel) -> Path:
    """Its bundle, as of a model made elsewhere: a folder that is not to be changed."""
    return RunCache.path("first-bundle", partial(save, small_model, synthetic=True))


@pytest.fixture(scope="session")
def drawn() -> Tensor:
    """A million normal numbers, enough for every network when they are repeated."""
    return torch.randn(1 << 20, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="session")
def filled(drawn) -> Callable[[str], nn.Module]:
    """A whole network in eval mode whose layers keep the variance of what passes through them."""

    def fill(name: str) -> nn.Module:
        module = (
            build_without_weights(get_network(name))
            .to_empty(device="cpu")
            .eval()
            .requires_grad_(False)
        )
        for key, tensor in module.state_dict().items():
            tensor.copy_(values(key, tensor.shape))
        return module

    def values(key: str, shape: torch.Size) -> Tensor:
        if len(shape) > 1:
            repeats = -(-prod(shape) // len(drawn))
            numbers = drawn.repeat(repeats)[: prod(shape)].reshape(shape)
            return numbers.mul_((2 / prod(shape[1:])) ** 0.5)
        return torch.full(shape, float(key.endswith(("var", "weight", "gamma"))))

    return fill


def _folder_in_memory() -> Path | None:
    """None where there is no such file system, or too little room in it, as in many a container."""
    if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > MEMORY_NEEDED_BYTES:
        return Path(mkdtemp(prefix="sera-tests-", dir=MEMORY))
    return None


@contextmanager
def fresh_database(engines: EmbeddedEngines, migrated: str) -> Iterator[str]:
    """For a fixture that several tests share."""
    url = make_url(engines.database_url)
    name = f"test_{uuid4().hex}"
    _execute(url, f'CREATE DATABASE "{name}" TEMPLATE "{migrated}" STRATEGY FILE_COPY')
    yield url.set(database=name).render_as_string(hide_password=False)
    _execute(url, f'DROP DATABASE "{name}" WITH (FORCE)')


@cache
def _administration(url: URL) -> Engine:
    """A connection that stays open: a new one costs the server as much as it does to copy a
    database.
    """
    return create_engine(url, isolation_level="AUTOCOMMIT", pool_pre_ping=True)


def _execute(url: URL, statement: str) -> None:
    with _administration(url).connect() as connection:
        connection.execute(text(statement))
