import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from shared.networks import TapNetwork, get_network, new_head


@pytest.fixture
def network() -> TapNetwork:
    torch.manual_seed(0)
    definition = get_network("sera_tiny")
    stages = definition.stages(definition.build())
    return TapNetwork(
        definition.card, stages, ("block3.avg", "avg"), new_head(definition.card)
    )


@pytest.fixture
def images(network) -> NDArray[np.float32]:
    side = network.card.input_px
    return np.random.default_rng(0).normal(size=(5, 3, side, side)).astype(np.float32)
