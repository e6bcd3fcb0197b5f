"""Xception."""

from collections import OrderedDict

from torch import nn

from shared.networks.architectures.stages import chain_layers
from shared.networks.card import PLUS_MINUS_ONE, NetworkCard, WeightsSource, pooled_taps
from shared.networks.libraries import timm_network
from shared.networks.registry import register_network


@register_network
class Xception:
    """timm's `legacy_xception`: Chollet's own network, with his weights.

    The stages after the stem are the three flows of the paper's figure 5.
    """

    card = NetworkCard(
        name="xception",
        input_px=299,
        normalisation=PLUS_MINUS_ONE,
        taps=pooled_taps({"stem": 64, "entry": 728, "middle": 728, "exit": 2048}),
        embedding="avg",
        weights=WeightsSource(
            files=("xception.pth", "xception.safetensors", "xception-43020ad28.pth"),
            url=(
                "https://github.com/rwightman/pytorch-image-models"
                "/releases/download/v0.1-cadene/xception-43020ad28.pth"
            ),
            licence=(
                "Apache-2.0 (timm, from Keras'); "
                "trained on ImageNet-1k, whose terms limit it to research"
            ),
        ),
        source="Chollet 2017, arXiv:1610.02357",
    )

    @staticmethod
    def build() -> nn.Module:
        return timm_network("legacy_xception")

    @staticmethod
    def stages(module: nn.Module) -> OrderedDict[str, nn.Module]:
        stem = ("conv1", "bn1", "act1", "conv2", "bn2", "act2")
        entry = ("block1", "block2", "block3")
        middle = tuple(f"block{number}" for number in range(4, 12))
        exit_flow = ("block12", "conv3", "bn3", "act3", "conv4", "bn4", "act4")
        return OrderedDict(
            stem=chain_layers(module, *stem),
            entry=chain_layers(module, *entry),
            middle=chain_layers(module, *middle),
            exit=chain_layers(module, *exit_flow),
        )
