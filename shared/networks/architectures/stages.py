"""Divides a network's layers into consecutive stages."""

from collections import OrderedDict
from collections.abc import Mapping

from torch import nn


def get_sequence(module: nn.Module, name: str = "") -> nn.Sequential:
    """Return the submodule of this name, a sequence of layers; without a name the module itself."""
    layers = module.get_submodule(name)
    if not isinstance(layers, nn.Sequential):
        raise TypeError(
            f"{name or 'the network'} is a {type(layers).__name__}, not a sequence"
        )
    return layers


def slice_stages(
    layers: nn.Sequential, ends: Mapping[str, int]
) -> OrderedDict[str, nn.Module]:
    """Return consecutive slices of `layers`.

    Parameters
    ----------
    ends : for each stage, the index of the first layer after it
    """
    stages: OrderedDict[str, nn.Module] = OrderedDict()
    start = 0
    for name, end in ends.items():
        stages[name] = layers[start:end]
        start = end
    return stages


def chain_layers(module: nn.Module, *names: str) -> nn.Sequential:
    """Return the submodules of `module` that run one after the other."""
    return nn.Sequential(*(module.get_submodule(name) for name in names))
