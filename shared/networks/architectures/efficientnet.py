"""EfficientNetV2-S and EfficientNet-Lite0."""

from collections import OrderedDict

from torch import nn

from shared.networks.architectures.stages import (
    chain_layers,
    get_sequence,
    slice_stages,
)
from shared.networks.card import IMAGENET, NetworkCard, WeightsSource, pooled_taps
from shared.networks.libraries import (
    timm_network,
    torchvision_network,
    torchvision_weights,
)
from shared.networks.registry import register_network

_V2_STAGE_ENDS = OrderedDict(
    stem=1,
    stage1=2,
    stage2=3,
    stage3=4,
    stage4=5,
    stage5=6,
    stage6=7,
    conv=8,
)
_V2_STAGE_CHANNELS = {
    "stage2": 48,
    "stage3": 64,
    "stage4": 128,
    "stage5": 160,
    "stage6": 256,
    "conv": 1280,
}
_LITE_STAGE_CHANNELS = {
    "stage2": 24,
    "stage3": 40,
    "stage4": 80,
    "stage5": 112,
    "stage6": 192,
    "stage7": 320,
    "conv": 1280,
}


@register_network
class EfficientNetV2S:
    """torchvision's `efficientnet_v2_s`; its stages are slices of `features`."""

    card = NetworkCard(
        name="efficientnet_v2_s",
        input_px=384,
        normalisation=IMAGENET,
        taps=pooled_taps(_V2_STAGE_CHANNELS),
        embedding="avg",
        weights=torchvision_weights(
            "efficientnet_v2_s-dd5fe13b.pth", "efficientnet_v2_s.pth"
        ),
        source="Tan & Le 2021, arXiv:2104.00298",
    )

    @staticmethod
    def build() -> nn.Module:
        return torchvision_network("efficientnet_v2_s")

    @staticmethod
    def stages(module: nn.Module) -> OrderedDict[str, nn.Module]:
        return slice_stages(get_sequence(module, "features"), _V2_STAGE_ENDS)


@register_network
class EfficientNetLite0:
    """timm's `efficientnet_lite0`: EfficientNet-B0 without squeeze-and-excitation, with ReLU6.

    The weights are timm's own (`ra_in1k`). Google's have other paddings and another normalisation.
    """

    card = NetworkCard(
        name="efficientnet_lite0",
        input_px=224,
        normalisation=IMAGENET,
        taps=pooled_taps(_LITE_STAGE_CHANNELS),
        embedding="avg",
        weights=WeightsSource(
            files=(
                "efficientnet_lite0.pth",
                "efficientnet_lite0.safetensors",
                "efficientnet_lite0_ra-37913777.pth",
            ),
            url=(
                "https://github.com/rwightman/pytorch-image-models"
                "/releases/download/v0.1-weights/efficientnet_lite0_ra-37913777.pth"
            ),
            licence=(
                "Apache-2.0 (timm); "
                "trained on ImageNet-1k, whose terms limit it to research"
            ),
        ),
        source="Tan & Le 2019, arXiv:1905.11946 (Lite: TensorFlow's efficientnet/lite)",
    )

    @staticmethod
    def build() -> nn.Module:
        return timm_network("efficientnet_lite0")

    @staticmethod
    def stages(module: nn.Module) -> OrderedDict[str, nn.Module]:
        blocks = get_sequence(module, "blocks")
        return OrderedDict(
            stem=chain_layers(module, "conv_stem", "bn1"),
            **{f"stage{index}": block for index, block in enumerate(blocks, 1)},
            conv=chain_layers(module, "conv_head", "bn2"),
        )
