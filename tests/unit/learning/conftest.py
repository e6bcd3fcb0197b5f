from pathlib import Path

import pytest

from shared.learning import FittedModel, fit, phantom_samples
from shared.networks import WeightsFinder
from shared.recipes import Recipe, read_recipe

SMALL = {
    "name": "small",
    "version": "1",
    "source": "the tests",
    "roi": {"margin": 0.1},
    "features": [
        {
            "network": "sera_tiny",
            "taps": ["block3.avg", "avg"],
            "tuning": "phantoms",
            "flips": True,
        },
        {"families": ["shape", "intensity"]},
    ],
    "classifiers": [
        {"kind": "svm", "kernel": ["linear", "rbf"], "C": [0.1, 1]},
        {"kind": "forest", "trees": 12},
    ],
    "validation": {"folds": 3, "inner_folds": 2},
    "phantoms": {"count": 66, "epochs": 1, "batch": 33, "rate": 0.05},
}


@pytest.fixture(scope="session")
def recipe() -> Recipe:
    return read_recipe(SMALL)


@pytest.fixture(scope="session")
def no_weights() -> WeightsFinder:
    return WeightsFinder(None, Path("nowhere"), download=False)


@pytest.fixture(scope="session")
def model(recipe: Recipe, no_weights: WeightsFinder) -> FittedModel:
    """Fitted on 40 phantoms."""
    return fit(phantom_samples(40, 0), recipe, no_weights)
