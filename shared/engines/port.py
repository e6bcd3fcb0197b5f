"""The port for compute: an engine compiles a tapped network once, and then runs it on any number of images.

Everything that needs no gradient goes through it: feature extraction while a model is fitted, inference in a bundle, and
the passes of an occlusion map. Tuning, training on phantoms and Grad-CAM need gradients and use PyTorch directly.
"""

from enum import StrEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from shared.networks import TapNetwork

Images = NDArray[np.float32]
"""(N, 3, S, S) normalised, or (N, 4, S, S) where the network takes the nodule's mask; see `TapNetwork.forward`."""
Features = NDArray[np.float32]
"""(N, D), in the order of `TapNetwork.forward`: taps side by side; last, of a tuned network, its log-odds."""


class Precision(StrEnum):
    """The number format that an engine multiplies in; images and features are float32 in any case."""

    FP64 = "fp64"
    FP32 = "fp32"
    FP16 = "fp16"
    BF16 = "bf16"


class CompiledNetwork(Protocol):
    """A network made ready for one device."""

    def run(self, images: Images) -> Features:
        """Features of one image or more; an image's features do not depend on the others.

        Whoever calls may change the array that is returned.
        """
        ...


class Engine(Protocol):
    """Runs networks on one device of this machine."""

    @property
    def device(self) -> str:
        """The device as people know it: the GPU's name, or the CPU with its number of threads."""
        ...

    @property
    def precision(self) -> Precision:
        """Part of the key of a cached feature."""
        ...

    def compile(
        self, network: TapNetwork, *, batch_size: int | None = None
    ) -> CompiledNetwork:
        """Make a network ready to run.

        Parameters
        ----------
        network : in eval mode; an engine may move it to its device, and changes nothing else about it
        batch_size : images in one pass at most, `run` splits what is more; None where the engine knows best
        """
        ...
