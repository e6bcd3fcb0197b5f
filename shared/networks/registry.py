"""The networks SERA knows, by name."""

from collections import OrderedDict
from typing import Protocol, TypeVar

import torch
from torch import nn

from shared.networks.card import NetworkCard
from shared.networks.errors import NetworkUnknown


class Network(Protocol):
    """A card, the whole network, and its cut into named stages."""

    card: NetworkCard

    @staticmethod
    def build() -> nn.Module:
        """The whole network with random weights, under the names its weight file uses."""
        ...

    @staticmethod
    def stages(module: nn.Module) -> OrderedDict[str, nn.Module]:
        """Its layers from input to output; run one after the other up to a stage they give that stage's feature map."""
        ...


N = TypeVar("N", bound=type[Network])
_NETWORKS: dict[str, type[Network]] = {}


def register_network(definition: N) -> N:
    """Class decorator: make a network known under its card's name."""
    _NETWORKS[definition.card.name] = definition
    return definition


def get_network(name: str) -> type[Network]:
    """The definition of a network; raises `NetworkUnknown`."""
    if name not in _NETWORKS:
        raise NetworkUnknown(name=name, known=", ".join(sorted(_NETWORKS)))
    return _NETWORKS[name]


def build_without_weights(definition: type[Network]) -> nn.Module:
    """The whole network without its weights (on torch's meta device), for callers that load them all after.

    Drawing VGG19's 144 million random numbers only to overwrite them takes a second. `load_weights` fills a blank
    network, and so does `load_state_dict(tensors, assign=True)`.
    """
    with torch.device("meta"):
        return definition.build()


def list_networks() -> tuple[NetworkCard, ...]:
    """Cards of all networks, by name."""
    return tuple(_NETWORKS[name].card for name in sorted(_NETWORKS))
