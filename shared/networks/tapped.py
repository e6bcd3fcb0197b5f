"""A network cut off behind its deepest tap, as a frozen feature extractor."""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Self

import torch
from torch import Tensor, nn

from shared.networks.card import REGIONS, Card, Tap
from shared.networks.errors import TapUnknown, WeightsUnreadable
from shared.networks.pooling import nodule_regions, pooled
from shared.networks.registry import get_network
from shared.networks.weights import WeightsFinder, digest_of, load_weights


class TapNetwork(nn.Module):
    """Features of images at one or more taps; layers behind the deepest tap are neither kept nor run.

    Always in eval mode and without gradients, so that an image's features do not depend on its batch.

    Parameters
    ----------
    card : the network's card
    stages : its layers by stage, in order
    taps : names of the card's taps, concatenated in this order
    """

    def __init__(self, card: Card, stages: OrderedDict[str, nn.Module], taps: Sequence[str]) -> None:
        super().__init__()
        self.card = card
        self._taps = [_tap(card, name) for name in taps]
        self.layers = nn.ModuleDict(_up_to({tap.stage for tap in self._taps}, stages))
        self.eval().requires_grad_(False)

    @classmethod
    def pretrained(cls, name: str, taps: Sequence[str], finder: WeightsFinder) -> Self:
        """With the pre-trained weights of its card; raises `WeightsMissing`, `WeightsUnreadable`."""
        definition = get_network(name)
        module = definition.build()
        load_weights(module, finder.find(definition.card), name)
        return cls(definition.card, definition.stages(module), taps)

    @classmethod
    def from_tensors(cls, name: str, taps: Sequence[str], tensors: Mapping[str, Tensor]) -> Self:
        """From what `state_dict` gave; raises `WeightsUnreadable` where names or shapes differ."""
        definition = get_network(name)
        network = cls(definition.card, definition.stages(definition.build()), taps)
        try:
            network.load_state_dict(tensors)
        except RuntimeError as problem:
            raise WeightsUnreadable(file=name, network=name, problem=str(problem).splitlines()[0]) from problem
        return network

    @property
    def width(self) -> int:
        """Number of features D."""
        return sum(tap.width for tap in self._taps)

    @property
    def takes_mask(self) -> bool:
        """Whether a tap pools over a region, so that the nodule's mask is needed as a fourth channel."""
        return any(tap.pool in REGIONS for tap in self._taps)

    @property
    def digest(self) -> str:
        """SHA-256 of the weights in use; part of the key of a cached feature."""
        return digest_of(self.state_dict())

    @torch.inference_mode()
    def forward(self, images: Tensor) -> Tensor:
        """Features (N, D) float32, taps concatenated.

        Parameters
        ----------
        images : (N, 3, S, S) float32, normalised; (N, 4, S, S) where `takes_mask`, the last 1 inside the nodule, else 0
        """
        regions = nodule_regions(images[:, 3:]) if self.takes_mask else {}
        maps, reached = images[:, :3], {}
        for stage, layer in self.layers.items():
            maps = layer(maps)
            reached[stage] = maps
        return torch.cat([pooled(reached[tap.stage], tap.pool, regions) for tap in self._taps], dim=1)


def _tap(card: Card, name: str) -> Tap:
    if name not in card.taps:
        raise TapUnknown(network=card.name, tap=name, known=", ".join(card.taps))
    return card.taps[name]


def _up_to(wanted: set[str], stages: OrderedDict[str, nn.Module]) -> OrderedDict[str, nn.Module]:
    names = list(stages)
    last = max(names.index(stage) for stage in wanted)
    return OrderedDict((name, stages[name]) for name in names[: last + 1])
