from collections import OrderedDict

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from shared.networks import IMAGENET, NetworkCard, Pool, Tap, TapNetwork, grad_cam

CARD = NetworkCard(
    "by-hand",
    4,
    IMAGENET,
    {"avg": Tap("maps", Pool.AVERAGE, 2)},
    "avg",
    None,
    "by hand",
)
FLAT = NetworkCard(
    "by-hand", 4, IMAGENET, {"fc": Tap("fc", Pool.FLAT, 2)}, "fc", None, "by hand"
)


def tuned(card: NetworkCard, **further: nn.Module) -> TapNetwork:
    """Two maps, the first channel and twice the second; the head says 3 of the first less 1 of the second."""
    maps = nn.Conv2d(3, 2, 1, bias=False)
    maps.weight.data = torch.tensor([[1.0, 0, 0], [0, 2, 0]]).reshape(2, 3, 1, 1)
    head = nn.Linear(2, 2)
    head.weight.data, head.bias.data = torch.tensor([[0.0, 0], [3, -1]]), torch.zeros(2)
    return TapNetwork(card, OrderedDict(maps=maps, **further), [card.embedding], head)


def image() -> NDArray[np.float32]:
    pixels = np.zeros((1, 3, 4, 4), np.float32)
    pixels[0, 0, 0, 1], pixels[0, 1, 2, 2], pixels[0, 1, 0, 1] = 8.0, 5.0, 2.0
    return pixels


def test_the_map_is_what_the_paper_gives_by_hand():
    """Gradients of the mean are 3/16 and -1/16, so 8 and twice 2 at one place make (24 - 4) / 16."""
    found = grad_cam(tuned(CARD), image())
    expected = np.zeros((4, 4))
    expected[0, 1] = (3 * 8 - 1 * 4) / 16
    assert found.layer == "maps"
    np.testing.assert_allclose(found.values, expected, rtol=1e-6)


def test_the_last_layer_with_places_is_taken_also_where_one_behind_it_works_in_place():
    read = nn.Linear(2, 2, bias=False)
    read.weight.data = torch.eye(2)
    pool = nn.Sequential(
        nn.ReLU(inplace=True), nn.AdaptiveMaxPool2d(1), nn.Flatten(), read
    )
    found = grad_cam(tuned(FLAT, fc=pool), image())
    expected = np.zeros((4, 4))
    expected[0, 1] = (
        3 * 8 - 1 * 4
    ) / 16  # the gradient is 3 and -1 at one place of 16 each
    assert found.layer == "maps"
    np.testing.assert_allclose(found.values, expected, rtol=1e-6)


def test_a_network_is_left_as_it_was():
    network = tuned(CARD)
    pixels = torch.from_numpy(image())
    before = network(pixels)
    grad_cam(network, image())
    assert torch.equal(network(pixels), before)
    assert all(
        each.grad is None and not each.requires_grad for each in network.parameters()
    )


def test_a_network_that_is_not_tuned_has_no_verdict_to_explain():
    plain = TapNetwork(CARD, OrderedDict(maps=nn.Conv2d(3, 2, 1)), ["avg"])
    with pytest.raises(ValueError, match="not tuned"):
        grad_cam(plain, image())


def test_without_maps_there_is_no_place_to_point_at():
    flat = OrderedDict(fc=nn.Sequential(nn.Flatten(), nn.Linear(48, 2)))
    with pytest.raises(ValueError, match="no stage"):
        grad_cam(TapNetwork(FLAT, flat, ["fc"], nn.Linear(2, 2)), image())
