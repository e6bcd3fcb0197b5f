"""Toy children: shell one-liners that behave well, or do not. And what `deploy/kubernetes` makes of
itself.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.local.child import Child
from deploy.local.home import Home
from tests.support.kubernetes import (
    FOLDER,
    OVERLAYS,
    Object,
    everything,
    lying_there,
    rendered,
    renderer,
)

STAYS = 'touch "$SERA_READY_FILE"; exec sleep 600'


@pytest.fixture
def home(tmp_path: Path) -> Home:
    result = Home(tmp_path / "home")
    result.make()
    return result


@pytest.fixture
def toy() -> Callable[..., Child]:
    """A child that runs a line of shell; without one, it gets ready and stays."""

    def make(name: str, line: str = STAYS, **settings: object) -> Child:
        return Child(name, ("/bin/sh", "-c", line), **settings)

    return make


@pytest.fixture(scope="session", params=["files", *OVERLAYS, "everything"])
def manifests(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> list[Object]:
    """Kubernetes' objects: as the files have them, or as they are applied."""
    if request.param == "files":
        return lying_there()
    if renderer() is None:
        pytest.skip(
            "no kubectl or kustomize: `apt install kubernetes-client` has one that renders"
        )
    if request.param == "everything":
        return everything(tmp_path_factory.mktemp("everything"))
    return rendered(FOLDER / "overlays" / request.param)
