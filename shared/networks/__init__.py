"""A card for each CNN, the registry, weights and feature taps."""

from shared.networks import mobilenet, sera_tiny, squeezenet
from shared.networks.card import IMAGENET, MID_GREY, Card, Normalisation, Pool, Tap, Weights
from shared.networks.device import compute_device
from shared.networks.errors import NetworkUnknown, TapUnknown, WeightsMissing, WeightsUnreadable
from shared.networks.registry import Network, get_network, list_networks, network
from shared.networks.tapped import TapNetwork, log_odds, new_head, pretrained_stages, tap_of
from shared.networks.weights import WeightsFinder, digest_of, load_weights

__all__ = [
    "IMAGENET",
    "MID_GREY",
    "Card",
    "Network",
    "NetworkUnknown",
    "Normalisation",
    "Pool",
    "Tap",
    "TapNetwork",
    "TapUnknown",
    "Weights",
    "WeightsFinder",
    "WeightsMissing",
    "WeightsUnreadable",
    "compute_device",
    "digest_of",
    "get_network",
    "list_networks",
    "load_weights",
    "log_odds",
    "mobilenet",
    "network",
    "new_head",
    "pretrained_stages",
    "sera_tiny",
    "squeezenet",
    "tap_of",
]
