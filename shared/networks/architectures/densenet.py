"""DenseNet with 201 layers."""

import re
from collections import OrderedDict

from torch import Tensor, nn

from shared.networks.architectures.stages import chain_layers
from shared.networks.card import IMAGENET, NetworkCard, pooled_taps
from shared.networks.libraries import torchvision_network, torchvision_weights
from shared.networks.registry import register_network

_STAGE_CHANNELS = {"block1": 256, "block2": 512, "block3": 1792, "block4": 1920}
_OLD_NAME = re.compile(r"(denselayer\d+\.(?:norm|relu|conv))\.([12]\.)")


def _rename(module: nn.Module, tensors: dict[str, Tensor], *_: object) -> None:
    """Translate the names of torchvision's file, which is older than its code.

    A layer that is now called `norm1` is named `norm.1` in the file.
    """
    old_names = [name for name in tensors if _OLD_NAME.search(name)]
    for old_name in old_names:
        new_name = _OLD_NAME.sub(r"\1\2", old_name)
        tensors[new_name] = tensors.pop(old_name)


@register_network
class DenseNet201:
    """torchvision's `densenet201`.

    The last stage ends with norm and ReLU, as for its classifier.
    """

    card = NetworkCard(
        name="densenet201",
        input_px=224,
        normalisation=IMAGENET,
        taps=pooled_taps(_STAGE_CHANNELS),
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
