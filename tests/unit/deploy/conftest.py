"""Toy children: shell one-liners that behave well, or do not."""

from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.local.child import Child
from deploy.local.home import Home

STAYS = 'touch "$SERA_READY_FILE"; exec sleep 600'


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "home")
    made.make()
    return made


@pytest.fixture
def toy() -> Callable[..., Child]:
    """A child that runs a line of shell; without one, it gets ready and stays."""

    def make(name: str, line: str = STAYS, **settings: object) -> Child:
        return Child(name, ("/bin/sh", "-c", line), **settings)

    return make
