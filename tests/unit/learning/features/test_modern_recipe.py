"""The recipe `modern` with random weights: its real ones are not in this project."""

import numpy as np
import pytest
import torch

from shared.learning import build_extractor, phantom_samples, recipe_framing
from shared.networks import WeightsFinder, get_network
from shared.recipes import NetworkFeatures, load_recipe

MODERN = load_recipe("modern")
NETWORK_FEATURES = [
    features for features in MODERN.features if isinstance(features, NetworkFeatures)
]


@pytest.mark.parametrize(
    "features", NETWORK_FEATURES, ids=[features.name for features in NETWORK_FEATURES]
)
def test_each_network_of_modern_gives_features_that_differ_between_nodules(
    features, tmp_path, filled
):
    weights = get_network(features.network).card.weights
    torch.save(filled(features.network).state_dict(), tmp_path / weights.files[0])
    finder = WeightsFinder(tmp_path, tmp_path / "cache", download=False)
    extractor = build_extractor(features, MODERN, finder, seed=0)
    framing = recipe_framing(MODERN)
    nodules = [sample.load(framing) for sample in phantom_samples(2, 0)]
    table = extractor.compute([extractor.prepare(nodule) for nodule in nodules])
    assert table.shape == (2, extractor.width)
    assert np.abs(table[0] - table[1]).max() > 0
