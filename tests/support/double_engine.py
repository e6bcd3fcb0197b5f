"""A second engine: double precision, on a copy of the network, with the port's members and no
others.
"""

from copy import deepcopy

import torch

from shared.engines import Features, Images, Precision
from shared.networks import TapNetwork


class DoubleEngine:
    """Lets nobody run a network beside it once the network is compiled; `passes` counts the images
    of each run.
    """

    device = "CPU, in double precision"
    precision = Precision.FP64

    def __init__(self) -> None:
        self.passes: list[int] = []

    def compile(
        self, network: TapNetwork, *, batch_size: int | None = None
    ) -> "DoubleNetwork":
        compiled = DoubleNetwork(deepcopy(network).double(), self.passes)
        network.register_forward_pre_hook(refuse)
        return compiled


class DoubleNetwork:
    def __init__(self, network: TapNetwork, passes: list[int]) -> None:
        self._network = network
        self._passes = passes

    def run(self, images: Images) -> Features:
        self._passes.append(len(images))
        features = self._network(torch.from_numpy(images).double())
        return features.float().numpy()


def refuse(*_: object) -> None:
    raise AssertionError("the network was run beside its engine")
