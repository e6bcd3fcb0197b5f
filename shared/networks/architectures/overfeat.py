"""OverFeat, the accurate model."""

from collections import OrderedDict

from torch import nn

from shared.networks.architectures.stages import get_sequence, slice_stages
from shared.networks.card import (
    NetworkCard,
    WeightsSource,
    fully_connected_taps,
    grey_level_normalisation,
    pooled_taps,
)
from shared.networks.registry import register_network

_STAGE_CHANNELS = {
    "conv1": 96,
    "conv2": 256,
    "conv3": 512,
    "conv4": 512,
    "conv5": 1024,
    "conv6": 1024,
}
_STAGE_ENDS = OrderedDict(
    conv1=2,
    pool1=3,
    conv2=5,
    pool2=6,
    conv3=8,
    conv4=10,
    conv5=12,
    conv6=14,
    pool6=15,
    fc1=19,
    fc2=22,
)


@register_network
class OverFeatAccurate:
    """OverFeat's accurate model.

    The layers are those of the paper's table 3. Input statistics, threshold and sizes are those of
    the public code that runs its weights.

    The paper's table and the release (github.com/sermanet/OverFeat, and
    github.com/jhjin/overfeat-torch, which lists each layer's offset in `net_weight_1`) agree on
    every size. Two facts are only in the release. The input is (grey level - 118.380948) /
    61.896913 in each channel. The threshold differs from the paper's ReLU by 1e-6. This is below
    all our tolerances, so this network uses the ReLU. The dropout of one half on the fully
    connected layers is from the paper (section 3.1). The release has no dropout, because it only
    predicts.
    """

    card = NetworkCard(
        name="overfeat_accurate",
        input_px=221,
        normalisation=grey_level_normalisation((118.380948,) * 3, 61.896913),
        taps=pooled_taps(_STAGE_CHANNELS)
        | fully_connected_taps({"fc1": 4096, "fc2": 4096}),
        embedding="fc2",
        weights=WeightsSource(
            files=("overfeat_accurate.pth", "overfeat_accurate", "net_weight_1"),
            url="",
            licence=(
                "New York University: internal research and evaluation only; "
                "no modification, no redistribution"
            ),
        ),
        source="Sermanet et al. 2014, arXiv:1312.6229",
    )

    @staticmethod
    def build() -> nn.Module:
        return nn.Sequential(
            OrderedDict(
                conv1=nn.Conv2d(3, 96, 7, stride=2),
                relu1=nn.ReLU(),
                pool1=nn.MaxPool2d(3, 3),
                conv2=nn.Conv2d(96, 256, 7),
                relu2=nn.ReLU(),
                pool2=nn.MaxPool2d(2, 2),
                conv3=nn.Conv2d(256, 512, 3, padding=1),
                relu3=nn.ReLU(),
                conv4=nn.Conv2d(512, 512, 3, padding=1),
                relu4=nn.ReLU(),
                conv5=nn.Conv2d(512, 1024, 3, padding=1),
                relu5=nn.ReLU(),
                conv6=nn.Conv2d(1024, 1024, 3, padding=1),
                relu6=nn.ReLU(),
                pool6=nn.MaxPool2d(3, 3),
                flat=nn.Flatten(),
                fc7=nn.Linear(25600, 4096),
                relu7=nn.ReLU(),
                drop7=nn.Dropout(),
                fc8=nn.Linear(4096, 4096),
                relu8=nn.ReLU(),
                drop8=nn.Dropout(),
                fc9=nn.Linear(4096, 1000),
            )
        )

    @staticmethod
    def stages(module: nn.Module) -> OrderedDict[str, nn.Module]:
        return slice_stages(get_sequence(module), _STAGE_ENDS)
