"""Stochastic gradient descent on the layers of a pre-trained network that are to change.

Lee et al. (2019) and Koh et al. (2020) either replace the last fully connected layer and train only it (transfer), or
start from the pre-trained weights and train all or the later layers (fine-tuning): SGD with momentum 0.9, mini-batches
of 33, cross-entropy. Batch norm keeps its pre-trained statistics throughout: dozens of images are too few for new ones.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from shared.learning.samples.sample import Sample
from shared.learning.tuning.course import Hyperparameters
from shared.learning.tuning.errors import StageUnknown
from shared.learning.tuning.inputs import ActivationInputs, Flags, LayerInputs, ImageInputs, Rows
from shared.networks import NetworkCard, Pool, TapNetwork, log_odds, new_head
from shared.networks.pooling import pool_maps
from shared.recipes import NetworkFeatures, Tuning, TuningPlan

EVALUATION_BATCH = 32
EpochCallback = Callable[[int, "TunedLayers", float], None]


@dataclass(frozen=True)
class Backbone:
    """A pre-trained network's layers by stage, in order, up to its embedding."""

    card: NetworkCard
    stages: OrderedDict[str, nn.Module]

    def split_stages(self, features: NetworkFeatures) -> tuple[list[str], list[str]]:
        """Names of the stages that stay and of those that are tuned; raises `StageUnknown`."""
        names = list(self.stages)[
            : list(self.stages).index(self.card.taps[self.card.embedding].stage) + 1
        ]
        if features.tuning is not Tuning.FINE_TUNE:
            return names, []
        if features.frozen and features.frozen not in names:
            raise StageUnknown(
                network=self.card.name, stage=features.frozen, known=", ".join(names)
            )
        stay = names.index(features.frozen) + 1 if features.frozen else 0
        return names[:stay], names[stay:]


class TunedLayers(nn.Module):
    """The stages being tuned, the pooling to the embedding, and the new last layer; gives (N, 2)."""

    def __init__(
        self, stages: OrderedDict[str, nn.Module], pool: Pool, head: nn.Linear
    ) -> None:
        super().__init__()
        self.stages = nn.ModuleDict(stages)
        self.head = head
        self._pool = pool if stages else Pool.FLAT

    def forward(self, maps: Tensor) -> Tensor:
        for stage in self.stages.values():
            maps = stage(maps)
        classes: Tensor = self.head(pool_maps(maps, self._pool, {}))
        return classes

    def start_training(self) -> None:
        """Into training mode: dropout drops, batch norm stays as it is."""
        self.eval().requires_grad_(True)
        for module in self.modules():
            if isinstance(module, nn.Dropout):
                module.train()


class Tuner:
    """Tunes one network on parts of a data set.

    Parameters
    ----------
    body : the pre-trained network, left as it is
    features : says how it is tuned, and which stages stay
    samples : N images that can be read
    malignant : (N,) bool
    folder : where what the tuned layers read is kept meanwhile
    """

    def __init__(
        self,
        body: Backbone,
        features: NetworkFeatures,
        samples: list[Sample],
        malignant: Flags,
        plan: TuningPlan,
        seed: int,
        device: torch.device,
        folder: Path,
    ) -> None:
        self._body = body
        self._plan = plan
        self._seed = seed
        self._device = device
        self._pool = body.card.taps[body.card.embedding].pool
        stay, self._tuned = body.split_stages(features)
        self._malignant = malignant
        self._pictures = ImageInputs(samples, body.card, device, folder)
        self._inputs: LayerInputs = self._pictures
        if stay:
            frozen = _frozen(body, stay, None if self._tuned else self._pool).to(device)
            self._inputs = ActivationInputs(self._pictures, frozen, device, folder)

    def tune(
        self, rows: Rows, course: Hyperparameters, after_epoch: EpochCallback | None = None
    ) -> TunedLayers:
        """Tune on these rows; the same rows, course and seed give the same weights on the same machine.

        `after_epoch` is shown the network as it would be taken after that many epochs, and the epoch's mean loss.
        """
        devices = [self._device] if self._device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(self._seed)
            tail = self._new_tail()
            return self._descend(tail, rows, course, after_epoch)

    def restore_layers(self, state: dict[str, Tensor]) -> TunedLayers:
        """The tuned layers with weights that were kept."""
        tail = self._new_tail()
        tail.load_state_dict(state)
        return tail

    def log_odds(self, tail: TunedLayers, rows: Rows) -> NDArray[np.float32]:
        """Log-odds of malignant (len(rows),) of images as they are."""
        tail.eval()
        found = [np.zeros(0, np.float32)]
        with torch.inference_mode():
            for start in range(0, len(rows), EVALUATION_BATCH):
                part = rows[start : start + EVALUATION_BATCH]
                found.append(
                    log_odds(tail(self._inputs.batch(part, np.zeros(len(part), bool))))[
                        :, 0
                    ]
                    .cpu()
                    .numpy()
                )
        return np.concatenate(found)

    def network(self, tail: TunedLayers, taps: tuple[str, ...]) -> TapNetwork:
        """The whole tuned network, cut off behind its deepest tap or embedding; it shares its layers with `tail`."""
        layers = self._body.stages.items()
        stages = OrderedDict(
            (name, tail.stages[name] if name in self._tuned else layer)
            for name, layer in layers
        )
        return TapNetwork(self._body.card, stages, taps, tail.head)

    def extractor_inputs(self, rows: Rows, with_mask: bool) -> NDArray[np.float32]:
        """What an extractor prepares of these images."""
        return self._pictures.extractor_inputs(rows, with_mask)

    def _new_tail(self) -> TunedLayers:
        stages = OrderedDict(
            (name, deepcopy(self._body.stages[name])) for name in self._tuned
        )
        return TunedLayers(stages, self._pool, new_head(self._body.card)).to(self._device)

    def _descend(
        self, tail: TunedLayers, rows: Rows, course: Hyperparameters, after_epoch: EpochCallback | None
    ) -> TunedLayers:
        tail.start_training()
        optimiser = torch.optim.SGD(
            tail.parameters(),
            lr=course.rate,
            momentum=self._plan.momentum,
            weight_decay=course.decay,
        )
        average = _averaging(tail, self._plan.average)
        draw = np.random.default_rng(self._seed)
        taken = (
            cast(TunedLayers, average.module) if average else tail
        )  # torch types it as any module
        for epoch in range(course.epochs):
            losses = []
            for part, mirrored in self._batches(rows, draw):
                losses.append(self._step(tail, optimiser, part, mirrored))
                if average:
                    average.update_parameters(tail)
            if after_epoch:
                after_epoch(epoch + 1, taken, torch.stack(losses).mean().item())
                tail.start_training()
        return taken.eval().requires_grad_(False)

    def _step(
        self, tail: TunedLayers, optimiser: torch.optim.Optimizer, rows: Rows, mirrored: Flags
    ) -> Tensor:
        labels = torch.from_numpy(self._malignant[rows].astype(np.int64)).to(
            self._device
        )
        loss = nn.functional.cross_entropy(
            tail(self._inputs.batch(rows, mirrored)), labels
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return loss.detach()

    def _batches(
        self, rows: Rows, draw: np.random.Generator
    ) -> Iterator[tuple[Rows, Flags]]:
        """Full batches in random order (594 / 6 = 99 images make three of 33); fewer images than one make one."""
        shown, mirrored = (
            balance_classes(rows, self._malignant, draw)
            if self._plan.balance
            else (rows, np.zeros_like(rows))
        )
        if self._plan.flips:
            mirrored = draw.integers(0, 2, len(shown))
        order = draw.permutation(len(shown))
        size = min(self._plan.batch, len(shown))
        for start in range(0, len(shown) - size + 1, size):
            chosen = order[start : start + size]
            yield shown[chosen], mirrored[chosen].astype(bool)


def balance_classes(
    rows: Rows, malignant: Flags, draw: np.random.Generator
) -> tuple[Rows, Rows]:
    """Rows (M,) with both classes equally many, and which are mirrored (M,): mirror images of the rarer class, as many
    as are missing, drawn at random (K20 added 760 flips of benign images)."""
    labels = malignant[rows]
    rarer = rows[labels] if labels.sum() * 2 < len(labels) else rows[~labels]
    missing = len(rows) - 2 * len(rarer)
    added = (
        draw.choice(rarer, missing, replace=missing > len(rarer))
        if len(rarer)
        else rows[:0]
    )
    return np.concatenate([rows, added]), np.repeat([0, 1], [len(rows), len(added)])


def _frozen(body: Backbone, stay: list[str], pool: Pool | None) -> nn.Module:
    layers = nn.Sequential(*(body.stages[name] for name in stay)).eval()
    return layers if pool is None else nn.Sequential(layers, _Pooling(pool))


class _Pooling(nn.Module):
    def __init__(self, pool: Pool) -> None:
        super().__init__()
        self._pool = pool

    def forward(self, maps: Tensor) -> Tensor:
        return pool_maps(maps, self._pool, {})


def _averaging(tail: TunedLayers, share: float) -> AveragedModel | None:
    return (
        AveragedModel(tail, multi_avg_fn=get_ema_multi_avg_fn(share)) if share else None
    )
