"""A card for each CNN, the registry, weights and feature taps."""

from shared.networks.architectures import (
    alexnet,
    densenet,
    inception,
    mobilenet,
    overfeat,
    resnet,
    sera_tiny,
    shufflenet,
    squeezenet,
    vgg,
    xception,
)
from shared.networks.card import (
    IMAGENET,
    MID_GREY,
    NetworkCard,
    Normalisation,
    Pool,
    Tap,
    WeightsSource,
)
from shared.networks.device import compute_device, device_name
from shared.networks.errors import (
    NetworkUnknown,
    TapUnknown,
    WeightsMissing,
    WeightsUnpublished,
    WeightsUnreadable,
)
from shared.networks.gradcam import ClassActivation, grad_cam
from shared.networks.registry import (
    Network,
    build_without_weights,
    get_network,
    list_networks,
    register_network,
)
from shared.networks.tapped import TapNetwork, log_odds, new_head, pretrained_stages
from shared.networks.weights.finding import WeightsFinder, load_weights, tensors_digest

__all__ = [
    "IMAGENET",
    "MID_GREY",
    "ClassActivation",
    "Network",
    "NetworkCard",
    "NetworkUnknown",
    "Normalisation",
    "Pool",
    "Tap",
    "TapNetwork",
    "TapUnknown",
    "WeightsFinder",
    "WeightsMissing",
    "WeightsSource",
    "WeightsUnpublished",
    "WeightsUnreadable",
    "alexnet",
    "build_without_weights",
    "compute_device",
    "densenet",
    "device_name",
    "get_network",
    "grad_cam",
    "inception",
    "list_networks",
    "load_weights",
    "log_odds",
    "mobilenet",
    "new_head",
    "overfeat",
    "pretrained_stages",
    "register_network",
    "resnet",
    "sera_tiny",
    "shufflenet",
    "squeezenet",
    "tensors_digest",
    "vgg",
    "xception",
]
