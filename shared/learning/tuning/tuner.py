"""Trains some of the layers of a pre-trained network by stochastic gradient descent.

Lee et al. (2019) and Koh et al. (2020) either replace the last fully connected layer and train only
this layer (transfer), or start from the pre-trained weights and train all or the later layers
(fine-tuning): SGD with momentum 0.9, mini-batches of 33, cross-entropy. Batch norm keeps its
pre-trained statistics throughout, because dozens of images are too few for new ones.
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

from shared.learning.samples.nodules import NoduleReader
from shared.learning.samples.sample import Sample
from shared.learning.tuning.errors import StageUnknown
from shared.learning.tuning.hyperparameters import Hyperparameters
from shared.learning.tuning.inputs import (
    ActivationInputs,
    Flags,
    ImageInputs,
    LayerInputs,
    Rows,
)
from shared.networks import NetworkCard, Pool, TapNetwork, log_odds, new_head
from shared.networks.pooling import pool_maps
from shared.recipes import NetworkFeatures, Tuning, TuningPlan

EVALUATION_BATCH = 32
EpochCallback = Callable[[int, "TunedLayers", float], None]


@dataclass(frozen=True)
class Backbone:
    """A pre-trained network's layers by stage, in order."""

    card: NetworkCard
    stages: OrderedDict[str, nn.Module]

    def split_stages(self, features: NetworkFeatures) -> tuple[list[str], list[str]]:
        """Return the names of the frozen stages and of the tuned stages, up to the embedding.

        Raises `StageUnknown`.
        """
        embedding = self.card.taps[self.card.embedding]
        names = list(self.stages)
        names = names[: names.index(embedding.stage) + 1]
        if features.tuning is not Tuning.FINE_TUNE:
            return names, []
        if not features.frozen:
            return [], names
        if features.frozen not in names:
            raise StageUnknown(
                network=self.card.name, stage=features.frozen, known=", ".join(names)
            )
        frozen_count = names.index(features.frozen) + 1
        return names[:frozen_count], names[frozen_count:]


class TunedLayers(nn.Module):
    """The tuned stages, the pooling to the embedding, and the new last layer; gives (N, 2)."""

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
        embedding = pool_maps(maps, self._pool, {})
        classes: Tensor = self.head(embedding)
        return classes

    def start_training(self) -> None:
        """Switch gradients and dropout on; batch norm stays in eval mode."""
        self.eval().requires_grad_(True)
        for module in self.modules():
            if isinstance(module, nn.Dropout):
                module.train()


class Tuner:
    """Tunes one network on parts of a data set.

    Parameters
    ----------
    backbone : the pre-trained network, which is not changed
    features : its tuning, and the stages that are frozen
    samples : N readable images
    nodules : how their nodules are cut out
    malignant : (N,) bool
    folder : for the files of the tuned layers' inputs
    """

    def __init__(
        self,
        backbone: Backbone,
        features: NetworkFeatures,
        samples: list[Sample],
        nodules: NoduleReader,
        malignant: Flags,
        plan: TuningPlan,
        seed: int,
        device: torch.device,
        folder: Path,
    ) -> None:
        card = backbone.card
        self._backbone = backbone
        self._plan = plan
        self._seed = seed
        self._device = device
        self._malignant = malignant
        self._pool = card.taps[card.embedding].pool
        frozen_stages, self._tuned_stages = backbone.split_stages(features)
        self._images = ImageInputs(
            samples, nodules=nodules, card=card, device=device, folder=folder
        )
        self._inputs: LayerInputs = self._images
        if frozen_stages:
            pool = None if self._tuned_stages else self._pool
            frozen = _frozen_layers(backbone, frozen_stages, pool).to(device)
            self._inputs = ActivationInputs(self._images, frozen, device, folder)

    def tune(
        self,
        rows: Rows,
        hyperparameters: Hyperparameters,
        after_epoch: EpochCallback | None = None,
    ) -> TunedLayers:
        """Tune on these rows.

        The same rows, hyperparameters and seed give the same weights on the same machine.

        Parameters
        ----------
        after_epoch : called after each epoch with the number of finished epochs, the layers at that
            point, and the epoch's mean loss
        """
        devices = [self._device] if self._device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(self._seed)
            layers = self._new_layers()
            return self._train(layers, rows, hyperparameters, after_epoch)

    def restore_layers(self, state: dict[str, Tensor]) -> TunedLayers:
        """Restore the tuned layers, with stored weights."""
        layers = self._new_layers()
        layers.load_state_dict(state)
        return layers

    def log_odds(self, layers: TunedLayers, rows: Rows) -> NDArray[np.float32]:
        """Return the log-odds of malignant (len(rows),) of images without mirroring."""
        layers.eval()
        batches = [np.zeros(0, np.float32)]
        with torch.inference_mode():
            for start in range(0, len(rows), EVALUATION_BATCH):
                batch_rows = rows[start : start + EVALUATION_BATCH]
                not_mirrored = np.zeros(len(batch_rows), bool)
                classes = layers(self._inputs.batch(batch_rows, not_mirrored))
                batches.append(log_odds(classes)[:, 0].cpu().numpy())
        return np.concatenate(batches)

    def network(self, layers: TunedLayers, taps: tuple[str, ...]) -> TapNetwork:
        """Return the complete network, cut off after its deepest tap or embedding.

        It shares its tuned layers with `layers`.
        """
        stages: OrderedDict[str, nn.Module] = OrderedDict()
        for name, stage in self._backbone.stages.items():
            is_tuned = name in self._tuned_stages
            stages[name] = layers.stages[name] if is_tuned else stage
        return TapNetwork(self._backbone.card, stages, taps, layers.head)

    def extractor_inputs(self, rows: Rows, with_mask: bool) -> NDArray[np.float32]:
        """Return these images as an extractor prepares them."""
        return self._images.extractor_inputs(rows, with_mask)

    def _new_layers(self) -> TunedLayers:
        stages = OrderedDict(
            (name, deepcopy(self._backbone.stages[name])) for name in self._tuned_stages
        )
        head = new_head(self._backbone.card)
        return TunedLayers(stages, self._pool, head).to(self._device)

    def _train(
        self,
        layers: TunedLayers,
        rows: Rows,
        hyperparameters: Hyperparameters,
        after_epoch: EpochCallback | None,
    ) -> TunedLayers:
        layers.start_training()
        optimiser = torch.optim.SGD(
            layers.parameters(),
            lr=hyperparameters.rate,
            momentum=self._plan.momentum,
            weight_decay=hyperparameters.decay,
        )
        average = _running_average(layers, self._plan.average)
        result = layers
        if average:
            result = cast(TunedLayers, average.module)  # torch types it as any module
        generator = np.random.default_rng(self._seed)
        for epoch in range(hyperparameters.epochs):
            losses = []
            for batch_rows, mirrored in self._batches(rows, generator):
                loss = self._train_batch(layers, optimiser, batch_rows, mirrored)
                losses.append(loss)
                if average:
                    average.update_parameters(layers)
            if after_epoch:
                after_epoch(epoch + 1, result, torch.stack(losses).mean().item())
                layers.start_training()
        return result.eval().requires_grad_(False)

    def _train_batch(
        self,
        layers: TunedLayers,
        optimiser: torch.optim.Optimizer,
        rows: Rows,
        mirrored: Flags,
    ) -> Tensor:
        """Return one step of the optimiser; returns the loss ()."""
        labels = torch.from_numpy(self._malignant[rows].astype(np.int64))
        classes = layers(self._inputs.batch(rows, mirrored))
        loss = nn.functional.cross_entropy(classes, labels.to(self._device))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        return loss.detach()

    def _batches(
        self, rows: Rows, generator: np.random.Generator
    ) -> Iterator[tuple[Rows, Flags]]:
        """Yield the rows and mirror flags of full batches, in random order.

        For example, 594 / 6 = 99 images give three batches of 33. If there are fewer images than a
        batch has, they form one batch.
        """
        if self._plan.balance:
            rows, mirrored = balance_classes(rows, self._malignant, generator)
        else:
            mirrored = np.zeros_like(rows)
        if self._plan.flips:
            mirrored = generator.integers(0, 2, len(rows))
        order = generator.permutation(len(rows))
        size = min(self._plan.batch, len(rows))
        for start in range(0, len(rows) - size + 1, size):
            batch = order[start : start + size]
            yield rows[batch], mirrored[batch].astype(bool)


def balance_classes(
    rows: Rows, malignant: Flags, generator: np.random.Generator
) -> tuple[Rows, Rows]:
    """Add mirror images of the rarer class until both classes have the same size.

    The added images are drawn at random (K20 added 760 flips of benign images).

    Returns
    -------
    rows : (M,) both classes equally many
    mirrored : (M,) 1 for the added mirror images, else 0
    """
    labels = malignant[rows]
    is_malignant_rarer = labels.sum() * 2 < len(labels)
    rarer_rows = rows[labels] if is_malignant_rarer else rows[~labels]
    missing = len(rows) - 2 * len(rarer_rows)
    if len(rarer_rows):
        with_replacement = missing > len(rarer_rows)
        added = generator.choice(rarer_rows, missing, replace=with_replacement)
    else:
        added = rows[:0]
    mirrored = np.repeat([0, 1], [len(rows), len(added)])
    return np.concatenate([rows, added]), mirrored


def _frozen_layers(
    backbone: Backbone, stages: list[str], pool: Pool | None
) -> nn.Module:
    """Return the frozen stages in sequence, with the pooling behind them if `pool` is given."""
    layers = nn.Sequential(*(backbone.stages[name] for name in stages)).eval()
    return layers if pool is None else nn.Sequential(layers, _Pooling(pool))


class _Pooling(nn.Module):
    def __init__(self, pool: Pool) -> None:
        super().__init__()
        self._pool = pool

    def forward(self, maps: Tensor) -> Tensor:
        return pool_maps(maps, self._pool, {})


def _running_average(layers: TunedLayers, share: float) -> AveragedModel | None:
    """Return the running average of the weights, or None if the plan has none.

    Parameters
    ----------
    share : weight of the previous average at each step
    """
    if not share:
        return None
    return AveragedModel(layers, multi_avg_fn=get_ema_multi_avg_fn(share))
