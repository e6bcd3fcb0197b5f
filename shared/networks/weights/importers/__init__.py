"""Reads weight files of several formats, as tensors with the names of a network's `state_dict`."""

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
"""Readers by the ending of the file's name."""


def read_tensors(file: Path, module: nn.Module) -> dict[str, Tensor]:
    """Read the tensors of a weight file, in single precision.

    Raises `ValueError` or `OSError` if the file has no tensors.
    """
    if file.suffix not in READERS:
        raise ValueError(
            f"files that end in {file.suffix} are not weights; "
            f"known are {', '.join(READERS)}"
        )
    tensors = READERS[file.suffix](file, module)
    return {
        name: tensor.float() if tensor.is_floating_point() else tensor
        for name, tensor in tensors.items()
    }


__all__ = ["READERS", "WeightsReader", "read_tensors"]
