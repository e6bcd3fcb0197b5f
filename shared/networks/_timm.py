"""The one place that imports timm: it imports torchvision, whose operators have to be declared before."""

from collections.abc import Callable

from torch import nn

from shared.networks import _torchvision  # noqa: F401

# isort: split
from timm.models.inception_resnet_v2 import inception_resnet_v2
from timm.models.xception import legacy_xception


def untrained(build: Callable[..., nn.Module]) -> nn.Module:
    """A network of timm's with random weights."""
    return build(pretrained=False)


__all__ = ["inception_resnet_v2", "legacy_xception", "untrained"]
