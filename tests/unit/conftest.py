"""Networks with weights that cost nothing to draw."""

from collections.abc import Callable
from math import prod

import pytest
import torch
from torch import Tensor, nn

from shared.networks import blank, get_network


@pytest.fixture(scope="session")
def drawn() -> Tensor:
    """A million normal numbers, enough for every network when they are repeated."""
    return torch.randn(1 << 20, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="session")
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
