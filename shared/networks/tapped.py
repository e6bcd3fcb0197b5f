"""A network cut off behind its deepest tap, as a frozen feature extractor."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Self

import torch
from torch import Tensor, nn

from shared.networks.card import REGION_POOLS, NetworkCard, Tap
from shared.networks.errors import TapUnknown, WeightsUnreadable
from shared.networks.pooling import nodule_regions, pool_maps
from shared.networks.registry import build_without_weights, get_network
from shared.networks.weights.finding import WeightsFinder, load_weights, tensors_digest

CLASS_COUNT = 2
"""Benign, malignant."""


class TapNetwork(nn.Module):
    """Features of images at one or more taps; layers behind the deepest tap are neither kept nor run.

    Always in eval mode and without gradients, so that an image's features do not depend on its batch. A tuned network
    has a `head`, its own last layer, and gives its own verdict as one more number behind the features.

    Parameters
    ----------
    card : the network's card
    stages : its layers by stage, in order
    taps : names of the card's taps, concatenated in this order
    head : from the card's embedding to the two classes
    """

    def __init__(
        self,
        card: NetworkCard,
        stages: OrderedDict[str, nn.Module],
        taps: Sequence[str],
        head: nn.Linear | None = None,
    ) -> None:
        super().__init__()
        self.card = card
        self._taps = [_tap(card, name) for name in taps]
        self.embedding = card.taps[card.embedding]
        ends = {tap.stage for tap in self._taps} | (
            {self.embedding.stage} if head else set()
        )
        self.layers = nn.ModuleDict(_up_to(ends, stages))
        self.head = head
        self.eval().requires_grad_(False)

    @classmethod
    def pretrained(cls, name: str, taps: Sequence[str], finder: WeightsFinder) -> Self:
        """With the pre-trained weights of its card; raises `WeightsMissing`, `WeightsUnreadable`."""
        definition = get_network(name)
        return cls(definition.card, pretrained_stages(name, finder), taps)

    @classmethod
    def from_tensors(
        cls, name: str, taps: Sequence[str], tensors: Mapping[str, Tensor]
    ) -> Self:
        """From what `state_dict` gave; raises `WeightsUnreadable` where names or shapes differ."""
        definition = get_network(name)
        head = new_head(definition.card) if "head.weight" in tensors else None
        network = cls(
            definition.card,
            definition.stages(build_without_weights(definition)),
            taps,
            head,
        )
        try:
            network.load_state_dict(tensors, assign=True)
        except RuntimeError as problem:
            raise WeightsUnreadable(
                file=name, network=name, problem=str(problem).splitlines()[0]
            ) from problem
        return network

    @property
    def width(self) -> int:
        """Number of features D, the verdict of a tuned network included."""
        return sum(tap.width for tap in self._taps) + (self.head is not None)

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        return next(self.parameters()).device

    @property
    def takes_mask(self) -> bool:
        """Whether a tap pools over a region, so that the nodule's mask is needed as a fourth channel."""
        return any(tap.pool in REGION_POOLS for tap in self._taps)

    @property
    def digest(self) -> str:
        """SHA-256 of the weights in use; part of the key of a cached feature."""
        return tensors_digest(self.state_dict())

    @torch.inference_mode()
    def forward(self, images: Tensor) -> Tensor:
        """Features (N, D) float32, taps concatenated; last, of a tuned network, its log-odds of malignant.

        Parameters
        ----------
        images : (N, 3, S, S) float32, normalised; (N, 4, S, S) where `takes_mask`, the last 1 inside the nodule, else 0
        """
        regions = nodule_regions(images[:, 3:]) if self.takes_mask else {}
        maps = images[:, :3]
        reached = {}
        for stage, layer in self.layers.items():
            maps = layer(maps)
            reached[stage] = maps
        columns = [
            pool_maps(reached[tap.stage], tap.pool, regions) for tap in self._taps
        ]
        if self.head:
            embedding = pool_maps(
                reached[self.embedding.stage], self.embedding.pool, regions
            )
            columns.append(log_odds(self.head(embedding)))
        return torch.cat(columns, dim=1)


def pretrained_stages(name: str, finder: WeightsFinder) -> OrderedDict[str, nn.Module]:
    """A network's layers with the weights of its card; raises `WeightsMissing`, `WeightsUnreadable`."""
    definition = get_network(name)
    module = build_without_weights(definition)
    load_weights(module, finder.find(definition.card), name)
    return definition.stages(module)


def new_head(card: NetworkCard) -> nn.Linear:
    """A last layer of two classes, not trained yet."""
    return nn.Linear(card.taps[card.embedding].width, CLASS_COUNT)


def log_odds(classes: Tensor) -> Tensor:
    """Outputs of the two classes (N, 2) -> log-odds of malignant (N, 1)."""
    return classes[:, 1:] - classes[:, :1]


def _tap(card: NetworkCard, name: str) -> Tap:
    """A tap by its name; raises `TapUnknown`."""
    if name not in card.taps:
        raise TapUnknown(network=card.name, tap=name, known=", ".join(card.taps))
    return card.taps[name]


def _up_to(
    wanted: set[str], stages: OrderedDict[str, nn.Module]
) -> OrderedDict[str, nn.Module]:
    names = list(stages)
    last = max(names.index(stage) for stage in wanted)
    return OrderedDict((name, stages[name]) for name in names[: last + 1])
