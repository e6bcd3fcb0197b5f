"""DenseNet with 201 layers."""

import re
from collections import OrderedDict

from torch import Tensor, nn

from shared.networks.architectures.stages import chain_layers
from shared.networks.card import IMAGENET, NetworkCard, pooled_taps
from shared.networks.libraries import torchvision_network, torchvision_weights
from shared.networks.registry import register_network

_WIDTHS = {"block1": 256, "block2": 512, "block3": 1792, "block4": 1920}
_OLD_NAME = re.compile(r"(denselayer\d+\.(?:norm|relu|conv))\.([12]\.)")


def _rename(module: nn.Module, tensors: dict[str, Tensor], *_: object) -> None:
    """torchvision's file is older than its code: it says `norm.1` where the layer is now called `norm1`."""
    for old in [name for name in tensors if _OLD_NAME.search(name)]:
        tensors[_OLD_NAME.sub(r"\1\2", old)] = tensors.pop(old)


@register_network
class DenseNet201:
    """torchvision's `densenet201`; the last stage ends with its norm and ReLU, as its classifier reads it."""

    card = NetworkCard(
        name="densenet201",
        input_px=224,
        normalisation=IMAGENET,
        taps=pooled_taps(_WIDTHS),
        embedding="avg",
        weights=torchvision_weights("densenet201-c1103571.pth", "densenet201.pth"),
        source="Huang et al. 2017, arXiv:1608.06993",
    )

    @staticmethod
    def build() -> nn.Module:
        module = torchvision_network("densenet201")
        module.register_load_state_dict_pre_hook(_rename)
        return module

    @staticmethod
    def stages(module: nn.Module) -> OrderedDict[str, nn.Module]:
        features = module.get_submodule("features")
        return OrderedDict(
            stem=chain_layers(features, "conv0", "norm0", "relu0", "pool0"),
            block1=features.get_submodule("denseblock1"),
            block2=chain_layers(features, "transition1", "denseblock2"),
            block3=chain_layers(features, "transition2", "denseblock3"),
            block4=nn.Sequential(
                *chain_layers(features, "transition3", "denseblock4", "norm5"),
                nn.ReLU(),
            ),
        )
