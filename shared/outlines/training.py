"""Trains the outline network on outlined pictures, with and without prompts."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from shared.imaging.machine_variation import vary_machine
from shared.imaging.regions.roi import RealBox
from shared.networks.device import compute_device
from shared.outlines.examples import OutlineExample, draw_click, loosen_box, mask_box
from shared.outlines.network import OutlineNetwork
from shared.outlines.window import Array, Window
from shared.recipes import OutlinePlan

LOOSE_SHARES = (0.0, 0.15, 0.3, 0.4)
"""How far the sides of a box are moved at most, as a share; one of them for each box."""
PICTURE_SCALE = (0.85, 1.15)
PICTURE_SHIFT = 0.08
CLICK_SHARE = 0.25
"""Pictures that are seen once more in an epoch, with a click in a nodule, as a share of all."""
ENCODER_RATE_SHARE = 0.3
"""Rate of a pre-trained encoder, as a share of the decoder's."""
WEIGHT_DECAY = 1e-2
WARM_UP_SHARE = 0.1
EpochCallback = Callable[[int, float], None]
"""Called after each epoch, with its number from 1 and its mean loss."""


@dataclass(frozen=True, eq=False)
class _TrainingPair:
    """What the network sees once, and what it should answer.

    Attributes
    ----------
    image, target : (1, rows, columns)
    prompt : (`PROMPT_MAPS`, rows, columns)
    """

    image: Array
    prompt: Array
    target: Array


def ignore_epoch(epoch: int, loss: float) -> None:
    """Report nothing."""


def train_outline_network(
    network: OutlineNetwork,
    examples: Sequence[OutlineExample],
    plan: OutlinePlan,
    seed: int,
    after_epoch: EpochCallback = ignore_epoch,
) -> None:
    """Train on each picture twice an epoch: once whole, and once around one of its nodules. A share
    of them is seen once more, with a click.

    The boxes of the nodules are moved as readers draw them, and the pictures are varied as by
    other machines. The loss is cross-entropy and Dice; AdamW; the rate rises and falls (one cycle).
    """
    device = compute_device()
    network.to(device).train_decoder(plan.frozen)
    random = np.random.default_rng(seed)
    optimiser, schedule = _optimiser(network, plan, example_count=len(examples))
    for epoch in range(1, plan.epochs + 1):
        losses = []
        for batch in _batches(examples, plan, random):
            images = _stack([pair.image for pair in batch], device)
            prompts = _stack([pair.prompt for pair in batch], device)
            targets = _stack([pair.target for pair in batch], device)
            loss = _loss(network(images, prompts), targets)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            losses.append(loss.item())
        after_epoch(epoch, float(np.mean(losses)))
    network.eval().requires_grad_(False)


def _optimiser(
    network: OutlineNetwork, plan: OutlinePlan, example_count: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LambdaLR]:
    encoder = [
        weight for weight in network.encoder.parameters() if weight.requires_grad
    ]
    encoder_ids = {id(weight) for weight in encoder}
    decoder = [
        weight
        for weight in network.parameters()
        if weight.requires_grad and id(weight) not in encoder_ids
    ]
    encoder_share = ENCODER_RATE_SHARE if plan.frozen else 1.0
    groups = [
        {"params": encoder, "lr": plan.rate * encoder_share},
        {"params": decoder, "lr": plan.rate},
    ]
    optimiser = torch.optim.AdamW(groups, weight_decay=WEIGHT_DECAY)
    pairs = 2 * example_count + _click_count(example_count)
    steps = plan.epochs * max(pairs // plan.batch, 1)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: _rate_share(min(step / steps, 1.0))
    )
    return optimiser, schedule


def _click_count(example_count: int) -> int:
    """Return how many pictures of an epoch are seen with a click too."""
    return math.ceil(CLICK_SHARE * example_count)


def _rate_share(done: float) -> float:
    """Return the share of the full rate: it rises in the first tenth, then falls along a cosine."""
    if done < WARM_UP_SHARE:
        return 0.04 + 0.96 * done / WARM_UP_SHARE
    angle = np.pi * (done - WARM_UP_SHARE) / (1 - WARM_UP_SHARE)
    return float((1 + np.cos(angle)) / 2)


def _loss(log_odds: Tensor, targets: Tensor) -> Tensor:
    """Return cross-entropy plus one minus the soft Dice, means over the batch."""
    cross_entropy = F.binary_cross_entropy_with_logits(log_odds, targets)
    probabilities = torch.sigmoid(log_odds)
    shared = (probabilities * targets).sum((1, 2, 3))
    total = probabilities.sum((1, 2, 3)) + targets.sum((1, 2, 3))
    dice = (2 * shared + 1) / (total + 1)
    return cross_entropy + (1 - dice).mean()


def _batches(
    examples: Sequence[OutlineExample],
    plan: OutlinePlan,
    random: np.random.Generator,
) -> Iterator[list[_TrainingPair]]:
    """Yield the pairs of an epoch in a random order. Those of one batch have one shape."""
    waiting: dict[tuple[int, ...], list[_TrainingPair]] = {}
    clicked = random.permutation(len(examples))[: _click_count(len(examples))]
    seen = [(index, _picture_pair) for index in range(len(examples))]
    seen += [(index, _nodule_pair) for index in range(len(examples))]
    seen += [(index, _click_pair) for index in clicked]
    for place in random.permutation(len(seen)):
        index, make_pair = seen[place]
        example = examples[index]
        if random.random() < 0.5:
            example = example.mirrored()
        pair = make_pair(example, plan.input_px, random)
        batch = waiting.setdefault(pair.image.shape, [])
        batch.append(pair)
        if len(batch) == plan.batch:
            yield waiting.pop(pair.image.shape)
    yield from waiting.values()


def _picture_pair(
    example: OutlineExample, input_px: int, random: np.random.Generator
) -> _TrainingPair:
    """Return a whole picture without a prompt, with all its nodules to find."""
    window = _shifted_picture(example, input_px, random)
    prompt = window.no_prompt()
    return _pair(example, window, prompt, target=example.union, random=random)


def _click_pair(
    example: OutlineExample, input_px: int, random: np.random.Generator
) -> _TrainingPair:
    """Return a whole picture with a click in the one nodule to find."""
    mask = example.masks[random.integers(len(example.masks))]
    window = _shifted_picture(example, input_px, random)
    prompt = window.click_prompt(draw_click(mask, random))
    return _pair(example, window, prompt, target=mask, random=random)


def _shifted_picture(
    example: OutlineExample, input_px: int, random: np.random.Generator
) -> Window:
    """Return a window of the whole picture, a little larger or smaller, and shifted."""
    height, width = example.pixels.shape
    scale = random.uniform(*PICTURE_SCALE)
    shift_x, shift_y = random.uniform(-PICTURE_SHIFT, PICTURE_SHIFT, 2)
    box = (
        width * (shift_x + (1 - scale) / 2),
        height * (shift_y + (1 - scale) / 2),
        width * scale,
        height * scale,
    )
    return Window.of_picture(box, input_px)


def _nodule_pair(
    example: OutlineExample, input_px: int, random: np.random.Generator
) -> _TrainingPair:
    """Return one nodule's surroundings, with a box as a reader may draw it."""
    mask = example.masks[random.integers(len(example.masks))]
    share = random.choice(LOOSE_SHARES)
    box: RealBox = loosen_box(mask_box(mask), random.uniform(-share, share, 4))
    window = Window.around(box, input_px)
    return _pair(example, window, window.box_prompt(box), target=mask, random=random)


def _pair(
    example: OutlineExample,
    window: Window,
    prompt: Array,
    *,
    target: NDArray[np.bool_],
    random: np.random.Generator,
) -> _TrainingPair:
    pixels = window.sample(example.pixels) / np.float32(255)
    return _TrainingPair(
        image=vary_machine(pixels, random)[np.newaxis],
        prompt=prompt,
        target=window.sample(target.astype(np.float32))[np.newaxis],
    )


def _stack(arrays: Sequence[Array], device: torch.device) -> Tensor:
    """Return (N, maps, rows, columns)."""
    return torch.from_numpy(np.stack(arrays)).to(device)
