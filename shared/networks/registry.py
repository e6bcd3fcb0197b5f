"""The registry of all networks, by name."""

from collections import OrderedDict
from typing import Protocol, TypeVar

import torch
from torch import nn

from shared.networks.card import NetworkCard
from shared.networks.errors import NetworkUnknown


class Network(Protocol):
    """The definition of a network: its card, its layers, and their division into stages."""

    card: NetworkCard

    @staticmethod
    def build() -> nn.Module:
        """Build the complete network with random weights, under the names of its weight file."""
        ...

    @staticmethod
    def stages(module: nn.Module) -> OrderedDict[str, nn.Module]:
        """Return the layers by stage, from input to output.

        Each stage takes the output of the previous stage.
        """
        ...


N = TypeVar("N", bound=type[Network])
_NETWORKS: dict[str, type[Network]] = {}


def register_network(definition: N) -> N:
    """Class decorator that registers a network under its card's name."""
    _NETWORKS[definition.card.name] = definition
    return definition


def get_network(name: str) -> type[Network]:
    """Return the definition of a network; raises `NetworkUnknown`."""
    if name not in _NETWORKS:
        raise NetworkUnknown(name=name, known=", ".join(sorted(_NETWORKS)))
    return _NETWORKS[name]


def build_without_weights(definition: type[Network]) -> nn.Module:
    """Build the complete network without weights, on torch's meta device.

    It is for callers that load all weights afterwards, with `load_weights` or with
    `load_state_dict(tensors, assign=True)`. Random initialisation of VGG19's 144 million weights,
    which are then overwritten, would take a second.
    """
    with torch.device("meta"):
        return definition.build()


def list_networks() -> tuple[NetworkCard, ...]:
    """List the cards of all networks, by name."""
    return tuple(_NETWORKS[name].card for name in sorted(_NETWORKS))
