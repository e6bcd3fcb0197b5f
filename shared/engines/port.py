"""The port for compute: an engine compiles a tapped network once, then runs it on any images.

Everything without gradients uses it: feature extraction while a model is fitted, inference in a
bundle, and the passes of an occlusion map. Tuning, training on phantoms and Grad-CAM need gradients
and use PyTorch directly.
"""

from enum import StrEnum
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from shared.networks import TapNetwork

Images = NDArray[np.float32]
"""(N, 3, S, S) normalised, or (N, 4, S, S) if the network takes the nodule's mask.

See `TapNetwork.forward`.
"""
Features = NDArray[np.float32]
"""(N, D) as from `TapNetwork.forward`: all taps, then the log-odds of a tuned network."""


class Precision(StrEnum):
    """The number format of an engine's multiplications; images and features are always float32."""

    FP64 = "fp64"
    FP32 = "fp32"
    FP16 = "fp16"
    BF16 = "bf16"


class CompiledNetwork(Protocol):
    """A network that is ready to run on one device."""

    def run(self, images: Images) -> Features:
        """Return the features of one or more images.

        An image's features do not depend on the other images.

        The caller may change the returned array.
        """
        ...


class Engine(Protocol):
    """Runs networks on one device of this machine."""

    @property
    def name(self) -> str:
        """A name that no other engine has. Part of the key of a cached feature."""
        ...

    @property
    def device(self) -> str:
        """The device's display name: the GPU's model, or the CPU with its number of threads."""
        ...

    @property
    def precision(self) -> Precision:
        """Part of the key of a cached feature, too."""
        ...

    def compile(
        self, network: TapNetwork, *, batch_size: int | None = None
    ) -> CompiledNetwork:
        """Make a network ready to run.

        Parameters
        ----------
        network : in eval mode; the engine may move it to its device, and changes nothing else
        batch_size : maximum number of images in one pass; `run` splits larger inputs. If it is
            None, the engine chooses
        """
        ...
