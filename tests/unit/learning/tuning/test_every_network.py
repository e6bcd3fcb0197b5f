"""Both tunings of every network, on two phantoms and with random weights."""

import numpy as np
import pytest
import torch
from torch import nn

from shared.imaging.regions.normalise import to_input
from shared.learning import Sample, phantom_samples
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
"""Tuned in the long form only: each takes several seconds, and most have a smaller network of the same kind."""
NETWORKS = [
    pytest.param(card.name, marks=[pytest.mark.long] if card.name in LARGE else [])
    for card in list_networks()
]


@pytest.fixture(scope="module")
def phantoms() -> list[Sample]:
    return phantom_samples(2, 70, 0.1)


@pytest.fixture(params=NETWORKS)
def body(request, filled, phantoms) -> Backbone:
    """Its batch norm has seen the phantoms, without which the maps of a deep random network overflow."""
    definition = get_network(request.param)
    stages = definition.stages(filled(request.param))
    card = definition.card
    norm = card.normalisation
    maps = torch.from_numpy(
        np.stack(
            [to_input(s.load(), card.input_px, norm.mean, norm.std) for s in phantoms]
        )
    )
    for layer in stages.values():
        for module in layer.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = 1.0
        with torch.no_grad():
            maps = layer.train()(maps)
        layer.eval()
    return Backbone(card, stages)


def test_a_network_reads_two_phantoms_after_either_tuning(body, phantoms, tmp_path):
    malignant = np.array([sample.malignant for sample in phantoms])
    verdicts = []
    for tuning in (Tuning.TRANSFER, Tuning.FINE_TUNE):
        features = NetworkFeatures(body.card.name, (body.card.embedding,), tuning)
        tuner = Tuner(
            body, features, phantoms, malignant, PLAN, 0, torch.device("cpu"), tmp_path
        )
        tail = tuner.tune(ROWS, COURSE)
        assert bool(tail.stages) == (tuning is Tuning.FINE_TUNE)
        verdicts.append(tuner.log_odds(tail, ROWS))
    assert np.isfinite(verdicts).all()
    assert not np.array_equal(*verdicts)
