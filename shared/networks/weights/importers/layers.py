"""Lists the layers of a network in order, for files that do not use torch's names."""

from torch import nn


def weighted_layers(module: nn.Module) -> dict[str, nn.Conv2d | nn.Linear]:
    """Return the convolutions and fully connected layers by name, from input to output."""
    return {
        name: layer
        for name, layer in module.named_modules()
        if isinstance(layer, nn.Conv2d | nn.Linear)
    }
