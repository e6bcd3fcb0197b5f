"""ConvNeXt-Tiny."""

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

_STAGE_ENDS = OrderedDict(stem=1, stage1=2, stage2=4, stage3=6, stage4=8)
_STAGE_CHANNELS = {"stage1": 96, "stage2": 192, "stage3": 384, "stage4": 768}


@register_network
class ConvNeXtTiny:
    """torchvision's `convnext_tiny`; its stages are slices of `features`.

    The last stage, `norm`, is the average of the maps with layer norm, as for its classifier.
    """

    card = NetworkCard(
        name="convnext_tiny",
        input_px=224,
        normalisation=IMAGENET,
        taps=pooled_taps(_STAGE_CHANNELS) | fully_connected_taps({"norm": 768}),
        embedding="norm",
        weights=torchvision_weights("convnext_tiny-983f1562.pth", "convnext_tiny.pth"),
        source="Liu et al. 2022, arXiv:2201.03545",
    )

    @staticmethod
    def build() -> nn.Module:
        return torchvision_network("convnext_tiny")

    @staticmethod
    def stages(module: nn.Module) -> OrderedDict[str, nn.Module]:
        stages = slice_stages(get_sequence(module, "features"), _STAGE_ENDS)
        pool = module.get_submodule("avgpool")
        norm, flatten, _ = get_sequence(module, "classifier")
        stages["norm"] = nn.Sequential(pool, norm, flatten)
        return stages
