"""A network trained from nothing on drawn phantoms, so that a model can be had without pre-trained weights."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
import safetensors.torch
import torch
from torch import Tensor, nn

from shared.domain.messages import Message
from shared.imaging.regions.normalise import to_input
from shared.learning.features.cache import FeatureCache
from shared.learning.features.extractors import PREPROCESSING_VERSION
from shared.learning.progress import ProgressCallback
from shared.learning.samples.phantoms import phantom_samples
from shared.networks import NetworkCard, TapNetwork, get_network
from shared.recipes import NetworkFeatures, PhantomTraining, Recipe

FIRST_SEED = 1_000_000_000
"""Phantoms for networks come from here on, those of data sets from below: no image is in both."""


def train_on_phantoms(
    features: NetworkFeatures,
    training: PhantomTraining,
    margin: float,
    seed: int,
    progress: ProgressCallback,
) -> TapNetwork:
    """Train a network on phantoms' classes and cut it off at its taps.

    SGD with momentum, one cycle of the rate, left-right flips; the same seed gives the same network.
    """
    definition = get_network(features.network)
    images, labels = _draw(definition.card, training.count, margin, seed, progress)
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        module = definition.build()
        _descend(module, images, labels, training, progress)
    return TapNetwork(definition.card, definition.stages(module), features.taps)


def cached_phantom_network(
    features: NetworkFeatures,
    recipe: Recipe,
    seed: int,
    progress: ProgressCallback,
    keep: FeatureCache,
) -> TapNetwork:
    """The recipe's network trained on phantoms, from `keep` where it is there."""
    training = recipe.phantom_training()
    facts = {
        "network": features.network,
        "taps": features.taps,
        "phantoms": asdict(training),
        "margin": recipe.roi.margin,
        "seed": seed,
        "preprocessing": PREPROCESSING_VERSION,
    }
    key = f"networks/{hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()}"
    if (known := keep.get(key)) is not None:
        return TapNetwork.from_tensors(
            features.network, features.taps, safetensors.torch.load(known)
        )
    network = train_on_phantoms(features, training, recipe.roi.margin, seed, progress)
    keep.put(
        key,
        safetensors.torch.save(
            {name: each.contiguous() for name, each in network.state_dict().items()}
        ),
    )
    return network


def _draw(
    card: NetworkCard, count: int, margin: float, seed: int, progress: ProgressCallback
) -> tuple[Tensor, Tensor]:
    """One grey channel of each image (N, 1, S, S), and the labels (N,)."""
    samples = phantom_samples(count, FIRST_SEED + seed * count, margin)
    rows = []
    for place, sample in enumerate(samples):
        rows.append(
            to_input(
                sample.load(), card.input_px, card.normalisation.mean, card.normalisation.std
            )[:1]
        )
        message = Message("progress-phantoms", {"drawn": place + 1, "phantoms": count})
        progress("network", place / count / 2, message, {})
    return torch.from_numpy(np.stack(rows)), torch.tensor(
        [int(sample.malignant) for sample in samples]
    )


def _descend(
    module: nn.Module,
    images: Tensor,
    labels: Tensor,
    training: PhantomTraining,
    progress: ProgressCallback,
) -> None:
    optimiser = torch.optim.SGD(
        module.parameters(),
        lr=training.rate,
        momentum=training.momentum,
        weight_decay=training.decay,
        nesterov=True,
    )
    steps = training.epochs * (len(images) // training.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, training.rate, total_steps=steps, cycle_momentum=False
    )
    module.train()
    for epoch in range(training.epochs):
        losses = [
            _step(module, images[rows], labels[rows], optimiser, schedule)
            for rows in _batches(images, training.batch)
        ]
        done = (epoch + 1) / training.epochs
        loss = sum(losses) / len(losses)
        message = Message(
            "progress-epoch", {"epoch": epoch + 1, "epochs": training.epochs}
        )
        progress("network", 0.5 + done / 2, message, {"loss": loss})


def _step(
    module: nn.Module,
    images: Tensor,
    labels: Tensor,
    optimiser: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
) -> float:
    flipped = torch.where(
        torch.rand(len(images), 1, 1, 1) < 0.5, images, images.flip(-1)
    )
    loss = nn.functional.cross_entropy(module(flipped.expand(-1, 3, -1, -1)), labels)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    schedule.step()
    return loss.item()


def _batches(images: Tensor, size: int) -> Sequence[Tensor]:
    """Row numbers in random order, in full batches: a ragged one would upset batch norm."""
    order = torch.randperm(len(images))
    return [
        order[start : start + size] for start in range(0, len(order) - size + 1, size)
    ]
