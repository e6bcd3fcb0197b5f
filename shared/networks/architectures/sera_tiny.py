"""SERA's own small network, for recipes that must work without a download."""

from collections import OrderedDict

from torch import nn

from shared.networks.card import MID_GREY, NetworkCard, pooled_taps
from shared.networks.registry import register_network

_STAGE_CHANNELS = {"block2": 32, "block3": 64, "block4": 96}
CLASS_COUNT = 2


def _stem(width: int) -> nn.Sequential:
    """Return a block whose convolution halves the side.

    At full size it would take more time than all the other blocks.
    """
    return nn.Sequential(
        nn.Conv2d(3, width, 5, stride=2, padding=2, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
    )


def _block(width_in: int, width_out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(width_in, width_out, 3, padding=1, bias=False),
        nn.BatchNorm2d(width_out),
        nn.ReLU(),
        nn.MaxPool2d(2),
    )


@register_network
class SeraTiny:
    """Four blocks and a linear layer: 80,000 weights.

    A block is a convolution, batch norm, ReLU and halving of the side.
    """

    card = NetworkCard(
        name="sera_tiny",
        input_px=96,
        normalisation=MID_GREY,
        taps=pooled_taps(_STAGE_CHANNELS),
        embedding="avg",
        weights=None,
        source="this project",
    )

    @staticmethod
    def build() -> nn.Module:
        layers = OrderedDict(
            block1=_stem(16),
            block2=_block(16, 32),
            block3=_block(32, 64),
            block4=_block(64, 96),
        )
        pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        return nn.Sequential(
            OrderedDict(**layers, pool=pool, classifier=nn.Linear(96, CLASS_COUNT))
        )

    @staticmethod
    def stages(module: nn.Module) -> OrderedDict[str, nn.Module]:
        return OrderedDict(
            (name, module.get_submodule(name)) for name in ("block1", *_STAGE_CHANNELS)
        )
