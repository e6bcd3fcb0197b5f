"""Both tunings of every network, on two phantoms and with random weights."""

import gc
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from shared.learning import phantom_samples
from shared.learning.tuning import Body, Course, Tuner
from shared.networks import get_network, list_networks
from shared.recipes import NetworkFeatures, Tuning, TuningPlan

PLAN = TuningPlan(epochs=1, rates=(1e-4,), batch=2, balance=False)
COURSE = Course(1e-4, 0.0, 1)
ROWS = np.arange(2)


@pytest.fixture(params=[card.name for card in list_networks()])
def body(request, filled) -> Iterator[Body]:
    definition = get_network(request.param)
    yield Body(definition.card, definition.stages(filled(request.param)))
    gc.collect()


def test_a_network_reads_two_phantoms_after_either_tuning(body, tmp_path):
    samples, verdicts = phantom_samples(2, 70, 0.1), []
    malignant = np.array([sample.malignant for sample in samples])
    for tuning in (Tuning.TRANSFER, Tuning.FINE_TUNE):
        features = NetworkFeatures(body.card.name, (body.card.embedding,), tuning)
        tuner = Tuner(body, features, samples, malignant, PLAN, 0, torch.device("cpu"), tmp_path)
        tail = tuner.run(ROWS, COURSE)
        assert bool(tail.stages) == (tuning is Tuning.FINE_TUNE)
        verdicts.append(tuner.margins(tail, ROWS))
    assert np.isfinite(verdicts).all()
    assert not np.array_equal(*verdicts)
