"""A network cut off after its deepest tap, as a frozen feature extractor."""

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
    """Gives the features of images at one or more taps.

    Layers after the deepest tap are dropped. The network is always in eval mode and without
    gradients, so that an image's features do not depend on its batch. A tuned network has a `head`,
    its own last layer, and gives its own log-odds as one more value after the features.

    Parameters
    ----------
    card : the network's card
    stages : its layers by stage, in order
    taps : names of the card's taps, concatenated in this order
    head : the layer from the card's embedding to the two classes
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
        needed_stages = {tap.stage for tap in self._taps}
        if head:
            needed_stages.add(self.embedding.stage)
        self.layers = nn.ModuleDict(_stages_up_to(needed_stages, stages))
        self.head = head
        self.eval().requires_grad_(False)

    @classmethod
    def pretrained(cls, name: str, taps: Sequence[str], finder: WeightsFinder) -> Self:
        """Return a network with pre-trained weights.

        Raises `WeightsMissing`, `WeightsUnreadable`.
        """
        definition = get_network(name)
        return cls(definition.card, pretrained_stages(name, finder), taps)

    @classmethod
    def from_tensors(
        cls, name: str, taps: Sequence[str], tensors: Mapping[str, Tensor]
    ) -> Self:
        """Build a network from a `state_dict`.

        Raises `WeightsUnreadable` if names or shapes differ.
        """
        definition = get_network(name)
        head = new_head(definition.card) if "head.weight" in tensors else None
        stages = definition.stages(build_without_weights(definition))
        network = cls(definition.card, stages, taps, head)
        try:
            network.load_state_dict(tensors, assign=True)
        except RuntimeError as error:
            raise WeightsUnreadable(
                file=name, network=name, problem=str(error).splitlines()[0]
            ) from error
        return network

    @property
    def width(self) -> int:
        """Number of features D, including the log-odds of a tuned network."""
        return sum(tap.width for tap in self._taps) + (self.head is not None)

    @property
    def device(self) -> torch.device:
        """The device of its weights."""
        return next(self.parameters()).device

    @property
    def takes_mask(self) -> bool:
        """Whether a tap pools over a region and needs the nodule's mask as a fourth channel."""
        return any(tap.pool in REGION_POOLS for tap in self._taps)

    @property
    def digest(self) -> str:
        """SHA-256 of the weights; part of the key of a cached feature."""
        return tensors_digest(self.state_dict())

    @torch.inference_mode()
    def forward(self, images: Tensor) -> Tensor:
        """Return the features (N, D) float32 of all taps, concatenated.

        The last column of a tuned network is its log-odds of malignant.

        Parameters
        ----------
        images : (N, 3, S, S) float32, normalised; (N, 4, S, S) if `takes_mask`; the last channel is
            1 inside the nodule, else 0
        """
        regions = nodule_regions(images[:, 3:]) if self.takes_mask else {}
        maps = images[:, :3]
        maps_by_stage = {}
        for stage, layer in self.layers.items():
            maps = layer(maps)
            maps_by_stage[stage] = maps
        columns = [
            pool_maps(maps_by_stage[tap.stage], tap.pool, regions) for tap in self._taps
        ]
        if self.head:
            embedding_maps = maps_by_stage[self.embedding.stage]
            embedding = pool_maps(embedding_maps, self.embedding.pool, regions)
            columns.append(log_odds(self.head(embedding)))
        return torch.cat(columns, dim=1)


def pretrained_stages(name: str, finder: WeightsFinder) -> OrderedDict[str, nn.Module]:
    """Return a network's layers with pre-trained weights.

    Raises `WeightsMissing`, `WeightsUnreadable`.
    """
    definition = get_network(name)
    module = build_without_weights(definition)
    load_weights(module, finder.find(definition.card), name)
    return definition.stages(module)


def new_head(card: NetworkCard) -> nn.Linear:
    """Return a last layer of two classes with random weights."""
    return nn.Linear(card.taps[card.embedding].width, CLASS_COUNT)


def log_odds(classes: Tensor) -> Tensor:
    """Return the outputs of the two classes (N, 2) -> log-odds of malignant (N, 1)."""
    return classes[:, 1:] - classes[:, :1]


def _tap(card: NetworkCard, name: str) -> Tap:
    """Return a tap by its name. Raises `TapUnknown`."""
    if name not in card.taps:
        raise TapUnknown(network=card.name, tap=name, known=", ".join(card.taps))
    return card.taps[name]


def _stages_up_to(
    required: set[str], stages: OrderedDict[str, nn.Module]
) -> OrderedDict[str, nn.Module]:
    """Return the stages from the first stage to the deepest required stage."""
    names = list(stages)
    deepest = max(names.index(stage) for stage in required)
    return OrderedDict((name, stages[name]) for name in names[: deepest + 1])
