"""A network that outlines nodules: from a box that a person drew, or on the whole picture."""

from shared.outlines.examples import OutlineExample
from shared.outlines.network import OutlineNetwork, pack_network
from shared.outlines.outliner import NetworkOutliner
from shared.outlines.training import train_outline_network

__all__ = [
    "NetworkOutliner",
    "OutlineExample",
    "OutlineNetwork",
    "pack_network",
    "train_outline_network",
]
