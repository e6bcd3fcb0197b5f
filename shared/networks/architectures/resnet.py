"""Residual networks of 18, 50 and 101 layers."""

from collections import OrderedDict

from torch import nn

from shared.networks.architectures.stages import chain_layers
from shared.networks.card import IMAGENET, NetworkCard, pooled_taps
from shared.networks.libraries import torchvision_network, torchvision_weights
from shared.networks.registry import register_network

_BASIC_STAGE_CHANNELS = {"layer1": 64, "layer2": 128, "layer3": 256, "layer4": 512}
_BOTTLENECK_STAGE_CHANNELS = {
    "layer1": 256,
    "layer2": 512,
    "layer3": 1024,
    "layer4": 2048,
}


def _card(name: str, weights_file: str, widths: dict[str, int]) -> NetworkCard:
    return NetworkCard(
        name=name,
        input_px=224,
        normalisation=IMAGENET,
        taps=pooled_taps(widths),
        embedding="avg",
        weights=torchvision_weights(weights_file, f"{name}.pth"),
        source="He et al. 2016, arXiv:1512.03385",
    )


def _stages(module: nn.Module) -> OrderedDict[str, nn.Module]:
    stem = chain_layers(module, "conv1", "bn1", "relu", "maxpool")
    return OrderedDict(
        stem=stem,
        **{name: module.get_submodule(name) for name in _BASIC_STAGE_CHANNELS},
    )


@register_network
class ResNet18:
    """torchvision's `resnet18`."""

    card = _card("resnet18", "resnet18-f37072fd.pth", _BASIC_STAGE_CHANNELS)

    @staticmethod
    def build() -> nn.Module:
        return torchvision_network("resnet18")

    @staticmethod
    def stages(module: nn.Module) -> OrderedDict[str, nn.Module]:
        return _stages(module)


@register_network
class ResNet50:
    """torchvision's `resnet50`."""

    card = _card("resnet50", "resnet50-0676ba61.pth", _BOTTLENECK_STAGE_CHANNELS)

    @staticmethod
    def build() -> nn.Module:
        return torchvision_network("resnet50")

    @staticmethod
    def stages(module: nn.Module) -> OrderedDict[str, nn.Module]:
        return _stages(module)


@register_network
class ResNet50V2:
    """torchvision's `resnet50` with the second version of its weights, of a later training recipe.

    It is the same network as `resnet50`, and not He's later ResNet v2.
    """

    card = _card("resnet50_v2", "resnet50-11ad3fa6.pth", _BOTTLENECK_STAGE_CHANNELS)

    @staticmethod
    def build() -> nn.Module:
        return torchvision_network("resnet50")

    @staticmethod
    def stages(module: nn.Module) -> OrderedDict[str, nn.Module]:
        return _stages(module)


@register_network
class ResNet101:
    """torchvision's `resnet101`."""

    card = _card("resnet101", "resnet101-63fe2227.pth", _BOTTLENECK_STAGE_CHANNELS)

    @staticmethod
    def build() -> nn.Module:
        return torchvision_network("resnet101")

    @staticmethod
    def stages(module: nn.Module) -> OrderedDict[str, nn.Module]:
        return _stages(module)
