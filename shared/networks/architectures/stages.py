"""A network's layers as stages, one after the other."""

from collections import OrderedDict
from collections.abc import Mapping
from itertools import pairwise

from torch import nn


def get_sequence(module: nn.Module, name: str = "") -> nn.Sequential:
    """The part of that name, which is a sequence of layers; without a name the module itself."""
    part = module.get_submodule(name)
    if not isinstance(part, nn.Sequential):
        raise TypeError(
            f"{name or 'the network'} is a {type(part).__name__}, not a sequence"
        )
    return part


def slice_stages(
    layers: nn.Sequential, ends: Mapping[str, int]
) -> OrderedDict[str, nn.Module]:
    """Consecutive slices of `layers`: each stage ends before the layer of the number given for it."""
    places = pairwise((0, *ends.values()))
    return OrderedDict(
        (stage, layers[first:end])
        for stage, (first, end) in zip(ends, places, strict=True)
    )


def chain_layers(module: nn.Module, *names: str) -> nn.Sequential:
    """Parts of `module`, run one after the other."""
    return nn.Sequential(*(module.get_submodule(name) for name in names))
