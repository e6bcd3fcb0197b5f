"""Trains a network from scratch on drawn phantoms, for models without pre-trained weights."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
import safetensors.torch
import torch
from torch import Tensor, nn

from shared.domain.messages import Message
from shared.imaging.regions.crop import Framing
from shared.imaging.regions.normalise import to_input
from shared.learning.features.cache import FeatureCache
from shared.learning.features.extractors import PREPROCESSING_VERSION
from shared.learning.progress import ProgressCallback
from shared.learning.samples.phantoms import phantom_samples
from shared.networks import NetworkCard, TapNetwork, get_network
from shared.recipes import NetworkFeatures, PhantomTraining, Recipe

FIRST_SEED = 1_000_000_000
"""First seed of the phantoms for networks. The seeds of data sets' phantoms are lower.

Therefore no image is used for both.
"""


def train_on_phantoms(
    features: NetworkFeatures,
    training: PhantomTraining,
    margin: float,
    seed: int,
    progress: ProgressCallback,
) -> TapNetwork:
    """Train a network on the classes of phantoms, and cut it off at its taps.

    The training uses SGD with momentum, one cycle of the learning rate, and left-right flips. The
    same seed gives the same network.
    """
    definition = get_network(features.network)
    images, labels = _draw_images(
        definition.card,
        count=training.count,
        margin=margin,
        seed=seed,
        progress=progress,
    )
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        module = definition.build()
        _train(module, images, labels, training, progress)
    return TapNetwork(definition.card, definition.stages(module), features.taps)


def cached_phantom_network(
    features: NetworkFeatures,
    recipe: Recipe,
    seed: int,
    progress: ProgressCallback,
    cache: FeatureCache,
) -> TapNetwork:
    """Return the recipe's network trained on phantoms, from the cache if it is there."""
    training = recipe.phantom_training()
    facts = {
        "network": features.network,
        "taps": features.taps,
        "phantoms": asdict(training),
        "margin": recipe.roi.margin,
        "seed": seed,
        "preprocessing": PREPROCESSING_VERSION,
    }
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    key = f"networks/{digest}"
    stored = cache.get(key)
    if stored is not None:
        tensors = safetensors.torch.load(stored)
        return TapNetwork.from_tensors(features.network, features.taps, tensors)
    network = train_on_phantoms(
        features,
        training=training,
        margin=recipe.roi.margin,
        seed=seed,
        progress=progress,
    )
    state = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    cache.put(key, safetensors.torch.save(state))
    return network


def _draw_images(
    card: NetworkCard, count: int, margin: float, seed: int, progress: ProgressCallback
) -> tuple[Tensor, Tensor]:
    """Draw one grey channel of each image (N, 1, S, S), and return it with the labels (N,)."""
    mean = card.normalisation.mean
    std = card.normalisation.std
    samples = phantom_samples(count, FIRST_SEED + seed * count)
    images = []
    for index, sample in enumerate(samples):
        image = to_input(sample.load(Framing(margin)), card.input_px, mean, std)
        images.append(image[:1])
        message = Message("progress-phantoms", {"drawn": index + 1, "phantoms": count})
        progress("network", index / count / 2, message, {})
    labels = torch.tensor([int(sample.malignant) for sample in samples])
    return torch.from_numpy(np.stack(images)), labels


def _train(
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
            _train_batch(
                module,
                images=images[rows],
                labels=labels[rows],
                optimiser=optimiser,
                schedule=schedule,
            )
            for rows in _random_batches(len(images), training.batch)
        ]
        loss = sum(losses) / len(losses)
        fraction = (epoch + 1) / training.epochs
        facts = {"epoch": epoch + 1, "epochs": training.epochs}
        message = Message("progress-epoch", facts)
        progress("network", 0.5 + fraction / 2, message, {"loss": loss})


def _train_batch(
    module: nn.Module,
    images: Tensor,
    labels: Tensor,
    optimiser: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
) -> float:
    """Return one step of the optimiser on randomly flipped images; returns the loss."""
    is_flipped = torch.rand(len(images), 1, 1, 1) < 0.5
    flipped = torch.where(is_flipped, images, images.flip(-1))
    classes = module(flipped.expand(-1, 3, -1, -1))
    loss = nn.functional.cross_entropy(classes, labels)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    schedule.step()
    return loss.item()


def _random_batches(count: int, size: int) -> Sequence[Tensor]:
    """Return row numbers in random order, in full batches.

    A smaller batch would disturb batch norm.
    """
    order = torch.randperm(count)
    return [order[start : start + size] for start in range(0, count - size + 1, size)]
