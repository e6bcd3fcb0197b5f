from pathlib import Path

import pytest

from shared.bundles import save
from tests.support.builders import small_model


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A bundle's folder, not to be changed, and its digest."""
    folder = tmp_path_factory.mktemp("bundles") / "small"
    return folder, save(small_model(), folder, synthetic=True)
