"""A second engine: double precision, with the port's members and no others."""

from copy import deepcopy

import torch

from shared.engines import Features, Images, Precision
from shared.networks import TapNetwork


class DoubleEngine:
    """Runs a copy of the network; all images go through in one pass."""

    name = "double"
    device = "CPU, in double precision"
    precision = Precision.FP64

    def compile(
        self, network: TapNetwork, *, batch_size: int | None = None
    ) -> "DoubleNetwork":
        return DoubleNetwork(deepcopy(network).double())


class DoubleNetwork:
    def __init__(self, network: TapNetwork) -> None:
        self._network = network

    def run(self, images: Images) -> Features:
        features = self._network(torch.from_numpy(images).double())
        return features.float().numpy()
