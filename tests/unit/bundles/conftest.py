from pathlib import Path

import pytest

from shared.bundles import save
from shared.imaging.image import Nodule
from shared.learning import FittedModel, fit, phantom_samples
from shared.networks import WeightsFinder
from shared.recipes import read_recipe
from tests.builders import SMALL_RECIPE


@pytest.fixture(scope="session")
def model() -> FittedModel:
    return fit(
        phantom_samples(24, 0, 0.1), read_recipe(SMALL_RECIPE), WeightsFinder(None, Path("nowhere"), download=False)
    )


@pytest.fixture(scope="session")
def saved(model: FittedModel, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A bundle's folder, not to be changed, and its digest."""
    folder = tmp_path_factory.mktemp("bundles") / "small"
    return folder, save(model, folder, synthetic=True)


@pytest.fixture(scope="session")
def nodules() -> list[Nodule]:
    return [sample.load() for sample in phantom_samples(6, 700, 0.1)]
