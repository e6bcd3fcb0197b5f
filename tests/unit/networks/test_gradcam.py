from collections import OrderedDict
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from shared.networks import IMAGENET, NetworkCard, Pool, Tap, TapNetwork, grad_cam

CARD = NetworkCard(
    name="by-hand",
    input_px=4,
    normalisation=IMAGENET,
    taps={"avg": Tap("maps", Pool.AVERAGE, 2)},
    embedding="avg",
    weights=None,
    source="by hand",
)
FLAT = replace(CARD, taps={"fc": Tap("fc", Pool.FLAT, 2)}, embedding="fc")


def tuned(card: NetworkCard, **more_stages: nn.Module) -> TapNetwork:
    """A network with two maps: the first channel, and twice the second channel.

    The log-odds are 3 times the first feature minus the second one.
    """
    maps = nn.Conv2d(3, 2, 1, bias=False)
    maps.weight.data = torch.tensor([[1.0, 0, 0], [0, 2, 0]]).reshape(2, 3, 1, 1)
    head = nn.Linear(2, 2)
    head.weight.data = torch.tensor([[0.0, 0], [3, -1]])
    head.bias.data = torch.zeros(2)
    stages = OrderedDict(maps=maps, **more_stages)
    return TapNetwork(card, stages, [card.embedding], head)


def image() -> NDArray[np.float32]:
    pixels = np.zeros((1, 3, 4, 4), np.float32)
    pixels[0, 0, 0, 1] = 8.0
    pixels[0, 1, 2, 2] = 5.0
    pixels[0, 1, 0, 1] = 2.0
    return pixels


def test_the_map_equals_the_paper_s_formula_by_hand():
    """Gradients of the mean are 3/16 and -1/16; 8 and twice 2 at one place give (24 - 4) / 16."""
    activation = grad_cam(tuned(CARD), image())
    expected = np.zeros((4, 4))
    expected[0, 1] = (3 * 8 - 1 * 4) / 16
    assert activation.layer == "maps"
    np.testing.assert_allclose(activation.values, expected, rtol=1e-6)


def test_the_last_maps_are_used_even_if_a_layer_behind_them_works_in_place():
    linear = nn.Linear(2, 2, bias=False)
    linear.weight.data = torch.eye(2)
    pool = nn.Sequential(
        nn.ReLU(inplace=True), nn.AdaptiveMaxPool2d(1), nn.Flatten(), linear
    )
    activation = grad_cam(tuned(FLAT, fc=pool), image())
    expected = np.zeros((4, 4))
    # The gradient is 3 and -1, each at one place of 16.
    expected[0, 1] = (3 * 8 - 1 * 4) / 16
    assert activation.layer == "maps"
    np.testing.assert_allclose(activation.values, expected, rtol=1e-6)


def test_the_network_is_not_changed():
    network = tuned(CARD)
    pixels = torch.from_numpy(image())
    original = network(pixels)
    grad_cam(network, image())
    assert torch.equal(network(pixels), original)
    for parameter in network.parameters():
        assert parameter.grad is None
        assert not parameter.requires_grad


def test_a_network_that_is_not_tuned_has_no_log_odds_to_explain():
    plain = TapNetwork(CARD, OrderedDict(maps=nn.Conv2d(3, 2, 1)), ["avg"])
    with pytest.raises(ValueError, match="not tuned"):
        grad_cam(plain, image())


def test_a_network_without_maps_is_refused():
    flat = OrderedDict(fc=nn.Sequential(nn.Flatten(), nn.Linear(48, 2)))
    with pytest.raises(ValueError, match="no stage"):
        grad_cam(TapNetwork(FLAT, flat, ["fc"], nn.Linear(2, 2)), image())


class Tokens(nn.Module):
    """Maps (N, C, H, W) -> tokens (N, 1 + H W, C) with a class token of zeros."""

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        patches = maps.flatten(2).transpose(1, 2)
        return torch.cat([torch.zeros_like(patches[:, :1]), patches], dim=1)


def test_patch_tokens_give_the_map_of_the_maps_that_they_are():
    card = replace(CARD, taps={"avg": Tap("tokens", Pool.AVERAGE, 2)})
    activation = grad_cam(tuned(card, tokens=Tokens()), image())
    assert activation.layer == "tokens"
    np.testing.assert_allclose(
        activation.values, grad_cam(tuned(CARD), image()).values, rtol=1e-6
    )
