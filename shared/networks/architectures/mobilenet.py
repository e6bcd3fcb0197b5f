"""MobileNetV2 and MobileNetV3-Large."""

from collections import OrderedDict

from torch import nn

from shared.networks.architectures.stages import get_sequence, slice_stages
from shared.networks.card import (
    IMAGENET,
    NetworkCard,
    fully_connected_taps,
    pooled_taps,
)
from shared.networks.libraries import torchvision_network, torchvision_weights
from shared.networks.registry import register_network

_V2_STAGE_ENDS = OrderedDict(
    block3=4,
    block6=7,
    block10=11,
    block13=14,
    block16=17,
    block17=18,
    conv=19,
)
_V2_STAGE_CHANNELS = {
    "block3": 24,
    "block6": 32,
    "block10": 64,
    "block13": 96,
    "block16": 160,
    "block17": 320,
    "conv": 1280,
}
_V3_STAGE_ENDS = OrderedDict(
    block3=4, block6=7, block10=11, block12=13, block15=16, conv=17
)
_V3_STAGE_CHANNELS = {
    "block3": 24,
    "block6": 40,
    "block10": 80,
    "block12": 112,
    "block15": 160,
    "conv": 960,
}


@register_network
class MobileNetV2:
    """torchvision's `mobilenet_v2`; its stages are slices of `features`.

    Weight files may have batch norm folded into the convolutions, so batch norm always stays in
    eval mode.
    """

    card = NetworkCard(
        name="mobilenet_v2",
        input_px=224,
        normalisation=IMAGENET,
        taps=pooled_taps(_V2_STAGE_CHANNELS),
        embedding="avg",
        weights=torchvision_weights("mobilenet_v2-b0353104.pth", "mobilenet_v2.pth"),
        source="Sandler et al. 2018, arXiv:1801.04381",
    )

    @staticmethod
    def build() -> nn.Module:
        return torchvision_network("mobilenet_v2")

    @staticmethod
    def stages(module: nn.Module) -> OrderedDict[str, nn.Module]:
        return slice_stages(get_sequence(module, "features"), _V2_STAGE_ENDS)


@register_network
class MobileNetV3Large:
    """torchvision's `mobilenet_v3_large`; its stages are slices of `features`, then `fc1`."""

    card = NetworkCard(
        name="mobilenet_v3_large",
        input_px=224,
        normalisation=IMAGENET,
        taps=pooled_taps(_V3_STAGE_CHANNELS) | fully_connected_taps({"fc1": 1280}),
        embedding="fc1",
        weights=torchvision_weights(
            "mobilenet_v3_large-8738ca79.pth", "mobilenet_v3_large.pth"
        ),
        source="Howard et al. 2019, arXiv:1905.02244",
    )

    @staticmethod
    def build() -> nn.Module:
        return torchvision_network("mobilenet_v3_large")

    @staticmethod
    def stages(module: nn.Module) -> OrderedDict[str, nn.Module]:
        stages = slice_stages(get_sequence(module, "features"), _V3_STAGE_ENDS)
        classifier = get_sequence(module, "classifier")
        pool = module.get_submodule("avgpool")
        stages["fc1"] = nn.Sequential(pool, nn.Flatten(), *list(classifier)[:3])
        return stages
