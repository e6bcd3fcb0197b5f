"""The Inception family: GoogLeNet, Inception-v3 and Inception-ResNet-v2.

torchvision's weights of the first two were trained on inputs from -1 to 1. For inputs normalised by
ImageNet's statistics it switches on `transform_input`, which converts them to -1 to 1. Here
`transform_input` stays off, because the normalisation that the NetworkCard names gives -1 to 1
directly. The network sees the same values either way. The auxiliary classifiers are built, because
the weight files hold them, but no stage runs them.
"""

from collections import OrderedDict

from torch import nn

from shared.networks.architectures.stages import chain_layers
from shared.networks.card import PLUS_MINUS_ONE, NetworkCard, WeightsSource, pooled_taps
from shared.networks.libraries import (
    timm_network,
    torchvision_network,
    torchvision_weights,
)
from shared.networks.registry import register_network


@register_network
class GoogLeNet:
    """torchvision's `googlenet`, Inception-v1 with batch norm."""

    card = NetworkCard(
        name="googlenet",
        input_px=224,
        normalisation=PLUS_MINUS_ONE,
        taps=pooled_taps(
            {"stem": 192, "inception3": 480, "inception4": 832, "inception5": 1024}
        ),
        embedding="avg",
        weights=torchvision_weights("googlenet-1378be20.pth", "googlenet.pth"),
        source="Szegedy et al. 2015, arXiv:1409.4842",
    )

    @staticmethod
    def build() -> nn.Module:
        return torchvision_network("googlenet", init_weights=False)

    @staticmethod
    def stages(module: nn.Module) -> OrderedDict[str, nn.Module]:
        return OrderedDict(
            stem=chain_layers(module, "conv1", "maxpool1", "conv2", "conv3"),
            inception3=chain_layers(module, "maxpool2", "inception3a", "inception3b"),
            inception4=chain_layers(
                module, "maxpool3", *(f"inception4{part}" for part in "abcde")
            ),
            inception5=chain_layers(module, "maxpool4", "inception5a", "inception5b"),
        )


@register_network
class InceptionV3:
    """torchvision's `inception_v3`."""

    card = NetworkCard(
        name="inception_v3",
        input_px=299,
        normalisation=PLUS_MINUS_ONE,
        taps=pooled_taps({"stem": 192, "mixed5": 288, "mixed6": 768, "mixed7": 2048}),
        embedding="avg",
        weights=torchvision_weights(
            "inception_v3_google-0cc3c7bd.pth", "inception_v3.pth"
        ),
        source="Szegedy et al. 2016, arXiv:1512.00567",
    )

    @staticmethod
    def build() -> nn.Module:
        return torchvision_network("inception_v3", init_weights=False)

    @staticmethod
    def stages(module: nn.Module) -> OrderedDict[str, nn.Module]:
        first = ("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "maxpool1")
        return OrderedDict(
            stem=chain_layers(module, *first, "Conv2d_3b_1x1", "Conv2d_4a_3x3"),
            mixed5=chain_layers(module, "maxpool2", "Mixed_5b", "Mixed_5c", "Mixed_5d"),
            mixed6=chain_layers(module, *(f"Mixed_6{part}" for part in "abcde")),
            mixed7=chain_layers(module, *(f"Mixed_7{part}" for part in "abc")),
        )


@register_network
class InceptionResNetV2:
    """timm's `inception_resnet_v2`."""

    card = NetworkCard(
        name="inception_resnet_v2",
        input_px=299,
        normalisation=PLUS_MINUS_ONE,
        taps=pooled_taps(
            {"stem": 192, "mixed5": 320, "mixed6": 1088, "mixed7": 2080, "conv": 1536}
        ),
        embedding="avg",
        weights=WeightsSource(
            files=("inception_resnet_v2.pth", "inception_resnet_v2.safetensors"),
            url=(
                "https://huggingface.co/timm/inception_resnet_v2.tf_in1k"
                "/resolve/main/model.safetensors"
            ),
            licence=(
                "Apache-2.0 (converted by timm from TensorFlow's weights); "
                "trained on ImageNet-1k, whose terms limit it to research"
            ),
        ),
        source="Szegedy et al. 2017, arXiv:1602.07261",
    )

    @staticmethod
    def build() -> nn.Module:
        return timm_network("inception_resnet_v2")

    @staticmethod
    def stages(module: nn.Module) -> OrderedDict[str, nn.Module]:
        stem = (
            "conv2d_1a",
            "conv2d_2a",
            "conv2d_2b",
            "maxpool_3a",
            "conv2d_3b",
            "conv2d_4a",
        )
        return OrderedDict(
            stem=chain_layers(module, *stem),
            mixed5=chain_layers(module, "maxpool_5a", "mixed_5b", "repeat"),
            mixed6=chain_layers(module, "mixed_6a", "repeat_1"),
            mixed7=chain_layers(module, "mixed_7a", "repeat_2", "block8"),
            conv=module.get_submodule("conv2d_7b"),
        )
