"""OverFeat's `net_weight_1`: nothing but little-endian float32 numbers, without a header.

For each layer in order, its filters as (C_out, C_in, H, W) in C order, then its biases. The fully connected layers are
convolutions, 5 x 5 and then 1 x 1, in the order in which torch flattens. For the accurate model that is 144,656,488
numbers. Layout by github.com/sermanet/OverFeat (`load_tensor`) and github.com/jhjin/overfeat-torch (each offset).
"""

from math import prod
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from shared.networks.weights.importers.layers import weighted_layers

FLOAT32 = np.dtype("<f4")


def read_overfeat(file: Path, module: nn.Module) -> dict[str, Tensor]:
    """Filters and biases under the network's names; raises `ValueError` where the length or a number is impossible."""
    shapes = _shapes(module)
    expected = FLOAT32.itemsize * sum(map(prod, shapes.values()))
    size = file.stat().st_size
    if size != expected:
        raise ValueError(f"{size} bytes long where the network has {expected}")
    numbers = np.memmap(file, FLOAT32, "r")
    ends = np.cumsum([prod(shape) for shape in shapes.values()])
    parts = np.split(numbers, ends[:-1])
    return {
        name: _tensor(part, shapes[name])
        for name, part in zip(shapes, parts, strict=True)
    }


def _shapes(module: nn.Module) -> dict[str, torch.Size]:
    """Of each tensor in the file, in its order."""
    return {
        f"{name}.{kind}": layer.get_parameter(kind).shape
        for name, layer in weighted_layers(module).items()
        for kind in ("weight", "bias")
    }


def _tensor(numbers: NDArray[np.float32], shape: torch.Size) -> Tensor:
    tensor = torch.from_numpy(np.array(numbers, np.float32).reshape(shape))
    if not tensor.isfinite().all():
        raise ValueError("it holds values that are not numbers")
    return tensor
