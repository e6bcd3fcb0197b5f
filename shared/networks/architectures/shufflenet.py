"""ShuffleNet."""

from collections import OrderedDict

from torch import nn

from shared.networks.architectures.stages import chain_layers
from shared.networks.card import IMAGENET, NetworkCard, pooled_taps
from shared.networks.libraries import torchvision_network, torchvision_weights
from shared.networks.registry import register_network

_STAGE_CHANNELS = {"stage2": 116, "stage3": 232, "stage4": 464, "conv5": 1024}


@register_network
class ShuffleNet:
    """torchvision's `shufflenet_v2_x1_0`, the successor of the network in the papers' list.

    The papers use MATLAB's `shufflenet`, ShuffleNet v1 (Zhang et al. 2018, arXiv:1707.01083).
    torchvision and timm do not have it, so the features of this network differ from the papers'
    features.
    """

    card = NetworkCard(
        name="shufflenet",
        input_px=224,
        normalisation=IMAGENET,
        taps=pooled_taps(_STAGE_CHANNELS),
        embedding="avg",
        weights=torchvision_weights("shufflenetv2_x1-5666bf0f80.pth", "shufflenet.pth"),
        source="Ma et al. 2018, arXiv:1807.11164 (ShuffleNet v2; MATLAB's is v1)",
    )

    @staticmethod
    def build() -> nn.Module:
        return torchvision_network("shufflenet_v2_x1_0")

    @staticmethod
    def stages(module: nn.Module) -> OrderedDict[str, nn.Module]:
        stem = chain_layers(module, "conv1", "maxpool")
        return OrderedDict(
            stem=stem, **{name: module.get_submodule(name) for name in _STAGE_CHANNELS}
        )
