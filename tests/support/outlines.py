"""A small outline network that is trained on a few phantoms, and models with it."""

from dataclasses import replace
from functools import cache

import torch

from shared.learning import FittedModel
from shared.learning.samples.phantoms import phantom_image
from shared.outlines import (
    NetworkOutliner,
    OutlineExample,
    OutlineNetwork,
    train_outline_network,
)
from shared.phantoms import draw
from shared.recipes import OutlinePlan
from tests.support.builders import small_model
from tests.support.run_cache import RunCache

PLAN = OutlinePlan(
    encoder="sera_tiny", deepest="block4", frozen="block4", epochs=3, rate=5e-3, folds=2
)
FINDING_PLAN = replace(PLAN, frozen="", epochs=6)
FINDING_STRENGTH = 8.0
"""After so few epochs the network's correction points to the nodules and is too weak to find them
without a box, so it is multiplied.
"""
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


def trained_network(
    plan: OutlinePlan = PLAN, examples: list[OutlineExample] | None = None
) -> OutlineNetwork:
    """Return a network trained on some pictures, by default on phantoms."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = OutlineNetwork.untrained(plan)
        pictures = examples or phantom_examples(0, COUNT)
        train_outline_network(network, pictures, plan, seed=0)
    return network


@cache
def outlining_model() -> FittedModel:
    """The small model with an outline network that finds the nodules of phantoms."""
    file = RunCache.path(
        "finding-network",
        lambda path: torch.save(trained_network(FINDING_PLAN).state_dict(), path),
    )
    tensors = torch.load(file, weights_only=True)
    tensors["head.weight"] *= FINDING_STRENGTH
    network = OutlineNetwork.from_tensors(FINDING_PLAN, tensors)
    return with_outliner(NetworkOutliner(network))


@cache
def finding_nothing() -> FittedModel:
    """The small model with an outline network that takes nothing for a nodule."""
    network = OutlineNetwork.untrained(PLAN)
    return with_outliner(NetworkOutliner(network))


def with_outliner(outliner: NetworkOutliner) -> FittedModel:
    model = small_model()
    recipe = replace(model.recipe, outline=PLAN)
    return replace(model, recipe=recipe, outliner=outliner)
