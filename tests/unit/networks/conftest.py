"""Networks with weights that cost nothing to draw, and files in the formats that weights come in."""

from collections.abc import Callable, Iterator
from math import prod
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.io import savemat
from torch import Tensor, nn

from shared.networks import blank, get_network

Layer = tuple[np.ndarray, np.ndarray]


@pytest.fixture(scope="session")
def drawn() -> Tensor:
    """A million normal numbers, enough for every network when they are repeated."""
    return torch.randn(1 << 20, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def filled(drawn) -> Callable[[str], nn.Module]:
    """A whole network in eval mode whose layers keep the variance of what passes through them."""

    def fill(name: str) -> nn.Module:
        module = blank(get_network(name)).to_empty(device="cpu").eval().requires_grad_(False)
        for key, tensor in module.state_dict().items():
            tensor.copy_(values(key, tensor.shape))
        return module

    def values(key: str, shape: torch.Size) -> Tensor:
        if len(shape) > 1:
            repeats = -(-prod(shape) // len(drawn))
            numbers = drawn.repeat(repeats)[: prod(shape)].reshape(shape)
            return numbers.mul_((2 / prod(shape[1:])) ** 0.5)
        return torch.full(shape, float(key.endswith(("var", "weight"))))

    return fill


@pytest.fixture
def write_mat() -> Callable[..., None]:
    """Write a MatConvNet file as of beta 17 (`weights`) or before (`filters` and `biases`)."""

    def write(file: Path, layers: list[Layer], old: bool = False, under_net: bool = False) -> None:
        structs = []
        for number, (filters, biases) in enumerate(layers, 1):
            fields = {"filters": filters, "biases": biases} if old else {"weights": cell([filters, biases])}
            structs += [{"type": "conv", "name": f"conv{number}", "stride": 1.0, **fields}]
            structs += [{"type": "relu", "name": f"relu{number}"}]
        contents = {"layers": cell(structs)}
        savemat(file, {"net": contents} if under_net else contents)

    def cell(items: list) -> np.ndarray:
        made = np.empty((1, len(items)), object)
        made[0, :] = items
        return made

    return write


@pytest.fixture
def scratch(tmp_path: Path) -> Iterator[Path]:
    """A folder for files of hundreds of megabytes: emptied as soon as the test is over."""
    yield tmp_path
    for file in tmp_path.iterdir():
        file.unlink()
