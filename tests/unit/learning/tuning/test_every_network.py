"""Both tunings of every network, on two phantoms and with random weights."""

import numpy as np
import pytest
import torch
from torch import nn

from shared.imaging import Framing
from shared.imaging.regions.normalise import to_input
from shared.learning import Sample, phantom_samples
from shared.learning.samples.nodules import FramedNodules
from shared.learning.tuning import Backbone, Hyperparameters, Tuner
from shared.networks import get_network, list_networks
from shared.recipes import NetworkFeatures, Tuning, TuningPlan

PLAN = TuningPlan(epochs=1, rates=(1e-4,), batch=2, balance=False)
COURSE = Hyperparameters(1e-4, 0.0, 1)
ROWS = np.arange(2)
LARGE = frozenset(
    {
        "densenet201",
        "inception_resnet_v2",
        "inception_v3",
        "overfeat_accurate",
        "resnet101",
        "resnet50",
        "vgg16",
        "vgg19",
        "xception",
    }
)
"""Tuned in the long form only. Each takes several seconds, and most have a smaller relative."""
NETWORKS = [
    pytest.param(card.name, marks=[pytest.mark.long] if card.name in LARGE else [])
    for card in list_networks()
]


@pytest.fixture(scope="module")
def phantoms() -> list[Sample]:
    return phantom_samples(2, 70)


@pytest.fixture(params=NETWORKS)
def backbone(request, filled, phantoms) -> Backbone:
    """A random network with batch norm statistics of the phantoms.

    With other statistics the maps of a deep random network overflow.
    """
    definition = get_network(request.param)
    stages = definition.stages(filled(request.param))
    card = definition.card
    norm = card.normalisation
    maps = torch.from_numpy(
        np.stack(
            [
                to_input(s.load(Framing(0.1)), card.input_px, norm.mean, norm.std)
                for s in phantoms
            ]
        )
    )
    for stage in stages.values():
        for module in stage.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = 1.0
        with torch.no_grad():
            maps = stage.train()(maps)
        stage.eval()
    return Backbone(card, stages)


def test_both_tunings_give_finite_log_odds_that_differ(backbone, phantoms, tmp_path):
    malignant = np.array([sample.malignant for sample in phantoms])
    log_odds = []
    for tuning in (Tuning.TRANSFER, Tuning.FINE_TUNE):
        features = NetworkFeatures(
            backbone.card.name, (backbone.card.embedding,), tuning
        )
        tuner = Tuner(
            backbone=backbone,
            features=features,
            samples=phantoms,
            nodules=FramedNodules(Framing(0.1)),
            malignant=malignant,
            plan=PLAN,
            seed=0,
            device=torch.device("cpu"),
            folder=tmp_path,
        )
        layers = tuner.tune(ROWS, COURSE)
        assert bool(layers.stages) == (tuning is Tuning.FINE_TUNE)
        log_odds.append(tuner.log_odds(layers, ROWS))
    assert np.isfinite(log_odds).all()
    assert not np.array_equal(*log_odds)
