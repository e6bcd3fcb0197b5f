"""PyTorch, layer by layer, in float32. The results of all other engines are compared with it."""

import torch

from shared.engines.port import Features, Images, Precision
from shared.networks import TapNetwork, compute_device, device_name

CPU_BATCH = 4
"""Images in one pass on a CPU; more do not fit its caches.

Measured with the recipe `light` on two cores: 56 ms an image in batches of 16, and 62 ms with all
images in one pass.
"""


class EagerEngine:
    """Runs on the first CUDA device that this process can see, else on the CPU.

    On CUDA, cuDNN's convolutions round their factors to TF32, which is PyTorch's default.
    """

    name = "eager"
    precision = Precision.FP32

    def __init__(self) -> None:
        self.device = device_name()
        self._torch_device = compute_device()

    def compile(
        self, network: TapNetwork, *, batch_size: int | None = None
    ) -> "EagerNetwork":
        """Move the network to the device; there is nothing else to prepare."""
        if batch_size is None and self._torch_device.type == "cpu":
            batch_size = CPU_BATCH
        return EagerNetwork(
            network.to(self._torch_device), self._torch_device, batch_size
        )


class EagerNetwork:
    """A network on its device. If `batch_size` is None, all images go through in one pass."""

    def __init__(
        self, network: TapNetwork, device: torch.device, batch_size: int | None
    ) -> None:
        self._network = network
        self._device = device
        self._batch_size = batch_size

    def run(self, images: Images) -> Features:
        batch = torch.from_numpy(images).to(self._device)
        passes = batch.split(self._batch_size or len(batch))
        outputs = [self._network(images_of_pass) for images_of_pass in passes]
        features: Features = torch.cat(outputs).cpu().numpy()
        return features
