"""Reads OverFeat's `net_weight_1`: little-endian float32 numbers without a header.

Each layer in order has its filters as (C_out, C_in, H, W) in C order, then its biases. The fully
connected layers are convolutions, 5 x 5 and then 1 x 1, in the order in which torch flattens. The
accurate model has 144,656,488 numbers. Sources of the layout: github.com/sermanet/OverFeat
(`load_tensor`) and github.com/jhjin/overfeat-torch (each offset).
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
    """Read the filters and biases under the network's names.

    Raises `ValueError` if the length is wrong or a number is not finite.
    """
    shapes = _shapes(module)
    counts = [prod(shape) for shape in shapes.values()]
    expected_bytes = FLOAT32.itemsize * sum(counts)
    size_bytes = file.stat().st_size
    if size_bytes != expected_bytes:
        raise ValueError(
            f"{size_bytes} bytes long where the network has {expected_bytes}"
        )
    numbers = np.memmap(file, FLOAT32, "r")
    tensors = {}
    start = 0
    for (name, shape), count in zip(shapes.items(), counts, strict=True):
        tensors[name] = _tensor(numbers[start : start + count], shape)
        start += count
    return tensors


def _shapes(module: nn.Module) -> dict[str, torch.Size]:
    """Return the shape of each tensor in the file, in its order."""
    shapes = {}
    for name, layer in weighted_layers(module).items():
        for kind in ("weight", "bias"):
            shapes[f"{name}.{kind}"] = layer.get_parameter(kind).shape
    return shapes


def _tensor(numbers: NDArray[np.float32], shape: torch.Size) -> Tensor:
    tensor = torch.from_numpy(np.array(numbers, np.float32).reshape(shape))
    if not tensor.isfinite().all():
        raise ValueError("it holds values that are not numbers")
    return tensor
