"""MatConvNet's files: `layers`, a cell array of structs, each `conv` with filters (H, W, C_in, C_out) and biases.

Both forms in use are read: `weights` = {filters, biases} (beta 17 and later), and the fields `filters` and `biases`
(before); `layers` on its own or within `net`. A fully connected layer is there a convolution as large as its input.
Images are height x width x RGB, so no channel is swapped. Layers are matched to the network's by their order.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from shared.networks.weights.importers.layers import weighted_layers
from shared.networks.weights.importers.matfile import read_mat


def read_matconvnet(file: Path, module: nn.Module) -> dict[str, Tensor]:
    """Filters and biases under the network's names; raises `ValueError` where the file is another one or broken."""
    try:
        read = list(_convolutions(file))
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as problem:
        raise ValueError(f"not a MatConvNet file: {problem}") from problem
    layers = weighted_layers(module)
    if len(read) != len(layers):
        raise ValueError(
            f"{len(read)} layers with weights where the network has {len(layers)}"
        )
    tensors = {}
    for (name, layer), (filters, biases) in zip(layers.items(), read, strict=True):
        tensors[f"{name}.weight"] = torch_filters(
            filters, flat=isinstance(layer, nn.Linear)
        )
        tensors[f"{name}.bias"] = torch.from_numpy(
            np.array(biases, np.float32).reshape(-1)
        )
    return tensors


def torch_filters(filters: NDArray[np.float32], flat: bool) -> Tensor:
    """Filters (H, W, C_in, C_out) -> (C_out, C_in, H, W), or (C_out, C_in * H * W) for what torch flattened."""
    whole = filters.reshape(filters.shape + (1,) * (4 - filters.ndim))
    turned = torch.from_numpy(
        np.array(whole.transpose(3, 2, 0, 1), np.float32, order="C")
    )
    return turned.flatten(1) if flat else turned


def _convolutions(
    file: Path,
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Filters and biases of each convolution; MATLAB leaves out last dimensions of 1."""
    variables = read_mat(file, ("net", "layers"))
    if not variables:
        raise ValueError("it has neither `layers` nor `net`")
    cells = variables["net"][0]["layers"] if "net" in variables else variables["layers"]
    for [layer] in cells:
        if layer["type"] == "conv":
            filters, biases = (
                layer["weights"]
                if "weights" in layer
                else (layer["filters"], layer["biases"])
            )
            yield np.asarray(filters, np.float32), np.asarray(biases, np.float32)
