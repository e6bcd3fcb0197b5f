"""Oxford's Visual Geometry Group: VGG-F (CNN-F), VGG16 and VGG19."""

from collections import OrderedDict
from collections.abc import Mapping

from torch import nn

from shared.networks.architectures.stages import get_sequence, slice_stages
from shared.networks.card import (
    IMAGENET,
    NetworkCard,
    WeightsSource,
    fully_connected_taps,
    grey_level_normalisation,
    pooled_taps,
)
from shared.networks.libraries import torchvision_network, torchvision_weights
from shared.networks.registry import register_network

_FULLY_CONNECTED_TAPS = fully_connected_taps({"fc1": 4096, "fc2": 4096})
_VGG_F_STAGE_CHANNELS = {
    "conv1": 64,
    "conv2": 256,
    "conv3": 256,
    "conv4": 256,
    "conv5": 256,
}
_VGG_F_STAGE_ENDS = OrderedDict(
    conv1=2,
    pool1=4,
    conv2=6,
    pool2=8,
    conv3=10,
    conv4=12,
    conv5=14,
    pool5=15,
    fc1=19,
    fc2=22,
)
_DEEP_STAGE_CHANNELS = {
    "conv1": 64,
    "conv2": 128,
    "conv3": 256,
    "conv4": 512,
    "conv5": 512,
}
_VGG16_STAGE_ENDS = OrderedDict(conv1=4, conv2=9, conv3=16, conv4=23, conv5=30)
_VGG19_STAGE_ENDS = OrderedDict(conv1=4, conv2=9, conv3=18, conv4=27, conv5=36)


def _response_norm() -> nn.Module:
    """Build CNN-F's response normalisation with its constants, MatConvNet's [5 2 0.0001 0.75].

    MatConvNet's alpha is per channel, and torch's is over all five channels.
    """
    return nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0)


@register_network
class VGGF:
    """CNN-F of Chatfield et al., with the layers and names of MatConvNet's `imagenet-vgg-f`.

    The first pool rounds up, because MatConvNet pads it to the right and below. MatConvNet
    subtracts a mean image. This network subtracts the mean per channel of that image.
    """

    card = NetworkCard(
        name="vgg_f",
        input_px=224,
        normalisation=grey_level_normalisation((123.68, 116.779, 103.939)),
        taps=pooled_taps(_VGG_F_STAGE_CHANNELS) | _FULLY_CONNECTED_TAPS,
        embedding="fc2",
        weights=WeightsSource(
            files=("vgg_f.pth", "vgg_f.mat", "imagenet-vgg-f.mat"),
            url="https://www.vlfeat.org/matconvnet/models/imagenet-vgg-f.mat",
            licence=(
                "non-commercial use only (Visual Geometry Group, Oxford); "
                "trained on ImageNet-1k"
            ),
            md5="f666c61dc968c413ef664a7e17b01144",
        ),
        source="Chatfield et al. 2014, arXiv:1405.3531",
    )

    @staticmethod
    def build() -> nn.Module:
        return nn.Sequential(
            OrderedDict(
                conv1=nn.Conv2d(3, 64, 11, stride=4),
                relu1=nn.ReLU(),
                norm1=_response_norm(),
                pool1=nn.MaxPool2d(3, 2, ceil_mode=True),
                conv2=nn.Conv2d(64, 256, 5, padding=2),
                relu2=nn.ReLU(),
                norm2=_response_norm(),
                pool2=nn.MaxPool2d(3, 2),
                conv3=nn.Conv2d(256, 256, 3, padding=1),
                relu3=nn.ReLU(),
                conv4=nn.Conv2d(256, 256, 3, padding=1),
                relu4=nn.ReLU(),
                conv5=nn.Conv2d(256, 256, 3, padding=1),
                relu5=nn.ReLU(),
                pool5=nn.MaxPool2d(3, 2),
                flat=nn.Flatten(),
                fc6=nn.Linear(9216, 4096),
                relu6=nn.ReLU(),
                drop6=nn.Dropout(),
                fc7=nn.Linear(4096, 4096),
                relu7=nn.ReLU(),
                drop7=nn.Dropout(),
                fc8=nn.Linear(4096, 1000),
            )
        )

    @staticmethod
    def stages(module: nn.Module) -> OrderedDict[str, nn.Module]:
        return slice_stages(get_sequence(module), _VGG_F_STAGE_ENDS)


def _deep_card(name: str, weights_file: str) -> NetworkCard:
    return NetworkCard(
        name=name,
        input_px=224,
        normalisation=IMAGENET,
        taps=pooled_taps(_DEEP_STAGE_CHANNELS) | _FULLY_CONNECTED_TAPS,
        embedding="fc2",
        weights=torchvision_weights(weights_file, f"{name}.pth"),
        source="Simonyan & Zisserman 2014, arXiv:1409.1556",
    )


def _deep_stages(
    module: nn.Module, ends: Mapping[str, int]
) -> OrderedDict[str, nn.Module]:
    """Return the five groups of convolutions, then the fully connected layers.

    Each stage begins with the pool that ends the group before it.
    """
    features = get_sequence(module, "features")
    classifier = get_sequence(module, "classifier")
    pool = module.get_submodule("avgpool")
    stages = slice_stages(features, ends)
    stages["fc1"] = nn.Sequential(
        features[-1], pool, nn.Flatten(), *list(classifier)[:3]
    )
    stages["fc2"] = classifier[3:6]
    return stages


@register_network
class VGG16:
    """torchvision's `vgg16`, the network of SERA's first deployment."""

    card = _deep_card("vgg16", "vgg16-397923af.pth")

    @staticmethod
    def build() -> nn.Module:
        return torchvision_network("vgg16", init_weights=False)

    @staticmethod
    def stages(module: nn.Module) -> OrderedDict[str, nn.Module]:
        return _deep_stages(module, _VGG16_STAGE_ENDS)


@register_network
class VGG19:
    """torchvision's `vgg19`."""

    card = _deep_card("vgg19", "vgg19-dcbb9e9d.pth")

    @staticmethod
    def build() -> nn.Module:
        return torchvision_network("vgg19", init_weights=False)

    @staticmethod
    def stages(module: nn.Module) -> OrderedDict[str, nn.Module]:
        return _deep_stages(module, _VGG19_STAGE_ENDS)
