from pathlib import Path

import pytest

from shared.bundles import save
from shared.imaging import Framing
from shared.imaging.image import Nodule
from shared.learning import FittedModel, phantom_samples
from tests.support.builders import small_model


@pytest.fixture(scope="session")
def model() -> FittedModel:
    return small_model()


@pytest.fixture(scope="session")
def saved(
    model: FittedModel, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str]:
    """A bundle's folder, not to be changed, and its digest."""
    folder = tmp_path_factory.mktemp("bundles") / "small"
    return folder, save(model, folder, synthetic=True)


@pytest.fixture(scope="session")
def nodules() -> list[Nodule]:
    return [sample.load(Framing(0.1)) for sample in phantom_samples(6, 700)]
