from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from shared.imaging import Framing
from shared.imaging.regions.normalise import to_input
from shared.learning import phantom_samples
from shared.learning.samples.nodules import FramedNodules
from shared.learning.tuning import Backbone, Tuner
from shared.networks import get_network
from shared.recipes import NetworkFeatures, Tuning, TuningPlan

PLAN = TuningPlan(epochs=3, rates=(0.003,), batch=8)
COUNT = 32


@pytest.fixture(scope="session")
def backbone(samples) -> Backbone:
    """`sera_tiny` with random weights from a fixed seed; batch norm has the samples' statistics."""
    definition = get_network("sera_tiny")
    norm = definition.card.normalisation
    side = definition.card.input_px
    images = np.stack(
        [
            to_input(sample.load(Framing(0.1)), side, norm.mean, norm.std)
            for sample in samples
        ]
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = definition.build().train()
        for layer in module.modules():
            if isinstance(layer, torch.nn.BatchNorm2d):
                layer.momentum = 1.0
        module(torch.from_numpy(images))
    return Backbone(definition.card, definition.stages(module.eval()))


@pytest.fixture(scope="session")
def samples() -> list:
    return phantom_samples(COUNT, 300)


@pytest.fixture(scope="session")
def malignant(samples) -> np.ndarray:
    return np.array([sample.malignant for sample in samples])


@pytest.fixture
def new_tuner(backbone, samples, malignant, tmp_path) -> Iterator:
    """A function that makes a tuner of `sera_tiny` on phantoms."""

    def make(tuning: Tuning, frozen: str = "", plan: TuningPlan = PLAN) -> Tuner:
        features = NetworkFeatures("sera_tiny", ("avg",), tuning, frozen)
        folder = Path(tmp_path / f"{tuning}-{frozen}")
        folder.mkdir(exist_ok=True)
        return Tuner(
            backbone=backbone,
            features=features,
            samples=samples,
            nodules=FramedNodules(Framing(0.1)),
            malignant=malignant,
            plan=plan,
            seed=0,
            device=torch.device("cpu"),
            folder=folder,
        )

    return make
