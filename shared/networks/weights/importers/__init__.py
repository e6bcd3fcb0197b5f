"""Weight files of each format, as tensors under the names that a network's `state_dict` has."""

from collections.abc import Callable, Mapping
from pathlib import Path

from torch import Tensor, nn

from shared.networks.weights.importers.matconvnet import read_matconvnet
from shared.networks.weights.importers.overfeat import read_overfeat
from shared.networks.weights.importers.tensors import read_pth, read_safetensors

WeightsReader = Callable[[Path, nn.Module], Mapping[str, Tensor]]

READERS: Mapping[str, WeightsReader] = {
    ".pth": read_pth,
    ".safetensors": read_safetensors,
    ".mat": read_matconvnet,
    "": read_overfeat,
}
"""By the ending of the file's name."""


def read_tensors(file: Path, module: nn.Module) -> dict[str, Tensor]:
    """The tensors of a weight file, in single precision; raises `ValueError` or `OSError` where there are none."""
    if file.suffix not in READERS:
        raise ValueError(
            f"files that end in {file.suffix} are not weights; known are {', '.join(READERS)}"
        )
    tensors = READERS[file.suffix](file, module)
    return {
        name: tensor.float() if tensor.is_floating_point() else tensor
        for name, tensor in tensors.items()
    }


__all__ = ["READERS", "WeightsReader", "read_tensors"]
