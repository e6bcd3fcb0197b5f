"""SqueezeNet 1.1."""

from collections import OrderedDict

from torch import nn

from shared.networks.architectures.stages import get_sequence, slice_stages
from shared.networks.card import IMAGENET, NetworkCard, pooled_taps
from shared.networks.libraries import torchvision_network, torchvision_weights
from shared.networks.registry import register_network

_STAGE_ENDS = OrderedDict(conv1=2, fire3=5, fire4=7, fire6=10, fire8=12, fire9=13)
_STAGE_CHANNELS = {"fire3": 128, "fire4": 256, "fire6": 384, "fire8": 512, "fire9": 512}


@register_network
class SqueezeNet:
    """torchvision's `squeezenet1_1`; its stages are slices of `features`."""

    card = NetworkCard(
        name="squeezenet",
        input_px=224,
        normalisation=IMAGENET,
        taps=pooled_taps(_STAGE_CHANNELS),
        embedding="avg",
        weights=torchvision_weights(
            "squeezenet1_1-b8a52dc0.pth", "squeezenet1_1.pth", "squeezenet.pth"
        ),
        source="Iandola et al. 2016, arXiv:1602.07360",
    )

    @staticmethod
    def build() -> nn.Module:
        return torchvision_network("squeezenet1_1")

    @staticmethod
    def stages(module: nn.Module) -> OrderedDict[str, nn.Module]:
        return slice_stages(get_sequence(module, "features"), _STAGE_ENDS)
