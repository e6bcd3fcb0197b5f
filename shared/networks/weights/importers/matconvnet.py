"""Reads MatConvNet's files.

A file has `layers`, a cell array of structs. Each struct of the type `conv` has filters (H, W,
C_in, C_out) and biases. Both forms are read: `weights` = {filters, biases} (beta 17 and later), and
the fields `filters` and `biases` (before); `layers` at the top level or within `net`. A fully
connected layer is a convolution as large as its input. Images are height x width x RGB, so no
channels are swapped. The network's layers are matched by their order.
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
    """Read the filters and biases under the network's names.

    Raises `ValueError` if the file is damaged or belongs to another network.
    """
    try:
        convolutions = list(_convolutions(file))
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"not a MatConvNet file: {error}") from error
    layers = weighted_layers(module)
    if len(convolutions) != len(layers):
        raise ValueError(
            f"{len(convolutions)} layers with weights "
            f"where the network has {len(layers)}"
        )
    tensors = {}
    for (name, layer), (filters, biases) in zip(
        layers.items(), convolutions, strict=True
    ):
        is_flat = isinstance(layer, nn.Linear)
        tensors[f"{name}.weight"] = torch_filters(filters, is_flat)
        tensors[f"{name}.bias"] = torch.from_numpy(
            np.array(biases, np.float32).reshape(-1)
        )
    return tensors


def torch_filters(filters: NDArray[np.float32], is_flat: bool) -> Tensor:
    """Return MatConvNet's filters in torch's order.

    Parameters
    ----------
    filters : (H, W, C_in, C_out); last dimensions of 1 may be missing
    is_flat : whether torch has a fully connected layer there

    Returns
    -------
    (C_out, C_in, H, W), or (C_out, C_in * H * W) if `is_flat`
    """
    missing_dimensions = (1,) * (4 - filters.ndim)
    complete = filters.reshape(filters.shape + missing_dimensions)
    transposed = complete.transpose(3, 2, 0, 1)
    tensor = torch.from_numpy(np.array(transposed, np.float32, order="C"))
    return tensor.flatten(1) if is_flat else tensor


def _convolutions(
    file: Path,
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Yield the filters and biases of each convolution. MATLAB omits last dimensions of 1."""
    variables = read_mat(file, ("net", "layers"))
    if not variables:
        raise ValueError("it has neither `layers` nor `net`")
    cells = variables["net"][0]["layers"] if "net" in variables else variables["layers"]
    for [layer] in cells:
        if layer["type"] != "conv":
            continue
        if "weights" in layer:
            filters, biases = layer["weights"]
        else:
            filters = layer["filters"]
            biases = layer["biases"]
        yield np.asarray(filters, np.float32), np.asarray(biases, np.float32)
