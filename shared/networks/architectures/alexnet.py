"""AlexNet: the original of the paper, and torchvision's one-tower variant."""

from collections import OrderedDict

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
_STAGE_ENDS = OrderedDict(
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
_ONE_TOWER_STAGE_ENDS = OrderedDict(
    conv1=2, conv2=5, conv3=8, conv4=10, conv5=12, pool5=13
)


def _response_norm() -> nn.Module:
    """Build the response normalisation with Caffe's constants.

    Like Caffe, torch divides alpha by the number of summed channels.
    """
    return nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=1.0)


@register_network
class AlexNet:
    """Krizhevsky's network with the layers of Caffe's `bvlc_alexnet` and MATLAB's `alexnet`.

    Response normalisation comes before pooling, as in the paper. (CaffeNet, whose weights have the
    same shapes, pools first.) Caffe subtracts a mean image. This network subtracts the mean per
    channel of that image.
    """

    card = NetworkCard(
        name="alexnet",
        input_px=227,
        normalisation=grey_level_normalisation((122.679, 116.669, 104.007)),
        taps=pooled_taps(
            {"conv1": 96, "conv2": 256, "conv3": 384, "conv4": 384, "conv5": 256}
        )
        | _FULLY_CONNECTED_TAPS,
        embedding="fc2",
        weights=WeightsSource(
            files=("alexnet.pth", "alexnet.mat", "imagenet-caffe-alex.mat"),
            url="https://www.vlfeat.org/matconvnet/models/imagenet-caffe-alex.mat",
            licence=(
                "unrestricted use (Caffe's bvlc_alexnet); "
                "trained on ImageNet-1k, whose terms limit it to research"
            ),
            md5="ed49ef44caf18496291ce0c3257b0596",
        ),
        source="Krizhevsky et al. 2012, NIPS 25",
    )

    @staticmethod
    def build() -> nn.Module:
        return nn.Sequential(
            OrderedDict(
                conv1=nn.Conv2d(3, 96, 11, stride=4),
                relu1=nn.ReLU(),
                norm1=_response_norm(),
                pool1=nn.MaxPool2d(3, 2),
                conv2=nn.Conv2d(96, 256, 5, padding=2, groups=2),
                relu2=nn.ReLU(),
                norm2=_response_norm(),
                pool2=nn.MaxPool2d(3, 2),
                conv3=nn.Conv2d(256, 384, 3, padding=1),
                relu3=nn.ReLU(),
                conv4=nn.Conv2d(384, 384, 3, padding=1, groups=2),
                relu4=nn.ReLU(),
                conv5=nn.Conv2d(384, 256, 3, padding=1, groups=2),
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
        return slice_stages(get_sequence(module), _STAGE_ENDS)


@register_network
class AlexNetOneTower:
    """torchvision's `alexnet`: Krizhevsky's later network for one GPU.

    It is narrower and has no response normalisation.
    """

    card = NetworkCard(
        name="alexnet_owt",
        input_px=224,
        normalisation=IMAGENET,
        taps=pooled_taps(
            {"conv1": 64, "conv2": 192, "conv3": 384, "conv4": 256, "conv5": 256}
        )
        | _FULLY_CONNECTED_TAPS,
        embedding="fc2",
        weights=torchvision_weights("alexnet-owt-7be5be79.pth", "alexnet_owt.pth"),
        source="Krizhevsky 2014, arXiv:1404.5997",
    )

    @staticmethod
    def build() -> nn.Module:
        return torchvision_network("alexnet")

    @staticmethod
    def stages(module: nn.Module) -> OrderedDict[str, nn.Module]:
        stages = slice_stages(get_sequence(module, "features"), _ONE_TOWER_STAGE_ENDS)
        pool = module.get_submodule("avgpool")
        classifier = get_sequence(module, "classifier")
        stages["fc1"] = nn.Sequential(pool, nn.Flatten(), *list(classifier)[:3])
        stages["fc2"] = classifier[3:6]
        return stages
