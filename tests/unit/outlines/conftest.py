import pytest
import torch

from shared.learning.samples.phantoms import phantom_image
from shared.outlines import (
    NetworkOutliner,
    OutlineExample,
    OutlineNetwork,
    train_outline_network,
)
from shared.phantoms import draw
from shared.recipes import OutlinePlan

PLAN = OutlinePlan(
    encoder="sera_tiny", deepest="block4", frozen="block4", epochs=3, rate=5e-3, folds=2
)
COUNT = 16
SIZE_PX = 128


def phantom_examples(first_seed: int, count: int) -> list[OutlineExample]:
    examples = []
    for seed in range(first_seed, first_seed + count):
        phantom = draw(seed, malignant=bool(seed % 2), size_px=SIZE_PX)
        example = OutlineExample.from_marks(phantom_image(phantom))
        assert example is not None
        examples.append(example)
    return examples


def trained_network() -> OutlineNetwork:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = OutlineNetwork.untrained(PLAN)
        train_outline_network(network, phantom_examples(0, COUNT), PLAN, seed=0)
    return network


@pytest.fixture(scope="session")
def outliner() -> NetworkOutliner:
    """Trained on a few phantoms."""
    return NetworkOutliner(trained_network())
