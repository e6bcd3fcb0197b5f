from collections import OrderedDict

import numpy as np
import pytest
import torch
from torch import nn

from shared.networks import (
    WeightsUnreadable,
    build_without_weights,
    get_network,
    load_weights,
)
from shared.networks.weights.importers.layers import weighted_layers
from shared.networks.weights.importers.matconvnet import torch_filters

RNG = np.random.default_rng(0)


def small() -> nn.Module:
    """3 x 6 x 6 -> 4 x 4 x 4 -> 5 -> 2, the convolution in two groups of its second layer."""
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(3, 4, 3),
            conv2=nn.Conv2d(4, 4, 1, groups=2),
            flat=nn.Flatten(),
            fc3=nn.Linear(64, 5),
            fc4=nn.Linear(5, 2),
        )
    )


def filters(*shape: int) -> tuple[np.ndarray, np.ndarray]:
    return RNG.standard_normal(shape, np.float32), RNG.standard_normal(
        (shape[-1], 1), np.float32
    )


def layers_of_small() -> list[tuple[np.ndarray, np.ndarray]]:
    return [
        filters(3, 3, 3, 4),
        filters(1, 1, 2, 4),
        filters(4, 4, 4, 5),
        filters(1, 1, 5, 2),
    ]


def convolved(
    image: np.ndarray, bank: tuple[np.ndarray, np.ndarray], groups: int = 1
) -> np.ndarray:
    """MatConvNet's vl_nnconv on one image (H, W, C), computed from its definition."""
    kernels, biases = bank
    height, width, depth, count = kernels.shape
    output = np.empty((image.shape[0] - height + 1, image.shape[1] - width + 1, count))
    for k in range(count):
        first = depth * (k * groups // count)
        for y, x in np.ndindex(output.shape[:2]):
            window = image[y : y + height, x : x + width, first : first + depth]
            output[y, x, k] = (window * kernels[..., k]).sum() + biases[k, 0]
    return output


@pytest.mark.parametrize("old", [False, True], ids=["weights", "filters and biases"])
@pytest.mark.parametrize("under_net", [False, True], ids=["layers", "net.layers"])
def test_an_imported_network_computes_what_matconvnet_computes(
    tmp_path, write_mat, old, under_net
):
    module = small()
    layers = layers_of_small()
    write_mat(tmp_path / "small.mat", layers, old, under_net)
    load_weights(module, tmp_path / "small.mat", "small")
    image = RNG.standard_normal((6, 6, 3), np.float32)
    expected = convolved(convolved(image, layers[0]), layers[1], groups=2)
    expected = convolved(convolved(expected, layers[2]), layers[3])
    with torch.no_grad():
        output = module(torch.from_numpy(image).permute(2, 0, 1)[None])
    np.testing.assert_allclose(output.numpy()[0], expected[0, 0], rtol=1e-4, atol=1e-4)


def test_a_fully_connected_layer_is_reordered_from_rows_columns_channels_to_torch_s_order():
    bank = RNG.standard_normal((2, 3, 4, 5), np.float32)
    weight = torch_filters(bank, is_flat=True)
    y = 1
    x = 2
    channel = 3
    unit = 4
    assert weight.shape == (5, 24)
    assert weight[unit, channel * 2 * 3 + y * 3 + x] == bank[y, x, channel, unit]


def test_last_dimensions_of_one_that_matlab_omits_are_restored():
    assert torch_filters(np.ones((3, 3), np.float32), is_flat=False).shape == (
        1,
        1,
        3,
        3,
    )


def test_a_complete_file_puts_each_filter_into_its_layer(scratch, write_mat):
    module = build_without_weights(get_network("alexnet"))
    layers = []
    for number, layer in enumerate(weighted_layers(module).values(), 1):
        count, depth, *sides = layer.weight.shape
        sides = sides or ([6, 6] if number == 6 else [1, 1])
        bank = np.zeros(
            (*sides, depth // (sides[0] * sides[1] if number == 6 else 1), count),
            np.float32,
        )
        bank[-1, 0, 1, 2] = number
        layers.append((bank, np.full((count, 1), number, np.float32)))
    write_mat(scratch / "whole.mat", layers)
    load_weights(module, scratch / "whole.mat", "alexnet")
    assert module.conv2.weight[2, 1, 4, 0] == 2
    assert module.fc6.weight[2, 1 * 36 + 5 * 6 + 0] == 6
    assert module.fc8.weight[2, 1] == 8
    assert [layer.bias[0].item() for layer in weighted_layers(module).values()] == [
        1,
        2,
        3,
        4,
        5,
        6,
        7,
        8,
    ]
    assert (
        sum(
            layer.weight.count_nonzero().item()
            for layer in weighted_layers(module).values()
        )
        == 8
    )


def test_a_missing_layer_is_refused(tmp_path, write_mat):
    write_mat(tmp_path / "short.mat", layers_of_small()[:-1])
    with pytest.raises(
        WeightsUnreadable,
        match=r"3 layers with weights where the network has 4.*docs/networks\.md",
    ):
        load_weights(small(), tmp_path / "short.mat", "small")


def test_a_layer_of_another_shape_is_refused(tmp_path, write_mat):
    layers = layers_of_small()
    layers[1] = filters(1, 1, 4, 4)
    write_mat(tmp_path / "other.mat", layers)
    with pytest.raises(WeightsUnreadable, match="conv2"):
        load_weights(small(), tmp_path / "other.mat", "small")


def test_a_layer_without_biases_is_refused(tmp_path, write_mat):
    layers = layers_of_small()
    layers[0] = (layers[0][0], np.zeros((0, 0), np.float32))
    write_mat(tmp_path / "other.mat", layers)
    with pytest.raises(WeightsUnreadable, match="conv1"):
        load_weights(small(), tmp_path / "other.mat", "small")


@pytest.mark.parametrize("keep", [0, 3, 100, 128, 200, -100])
def test_a_file_cut_short_is_refused(tmp_path, write_mat, keep):
    file = tmp_path / "small.mat"
    write_mat(file, layers_of_small())
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(WeightsUnreadable):
        load_weights(small(), file, "small")


@pytest.mark.parametrize(
    "contents",
    [
        b"MATLAB 7.3 MAT-file" + bytes(600),
        b"<html>not found</html>" * 40,
        b"PK\x03\x04",
    ],
)
def test_a_file_of_another_kind_is_refused(tmp_path, contents):
    (tmp_path / "small.mat").write_bytes(contents)
    with pytest.raises(WeightsUnreadable, match="not a MatConvNet file"):
        load_weights(small(), tmp_path / "small.mat", "small")


def test_any_changed_byte_is_read_or_refused_and_raises_nothing_else(
    tmp_path, write_mat
):
    file = tmp_path / "small.mat"
    write_mat(file, layers_of_small())
    content = bytearray(file.read_bytes())
    outcomes = set()
    for position in RNG.integers(0, len(content), 500):
        damaged = content.copy()
        damaged[position] ^= 0xFF
        file.write_bytes(damaged)
        is_refused = False
        try:
            load_weights(small(), file, "small")
        except WeightsUnreadable:
            is_refused = True
        outcomes.add(is_refused)
    assert outcomes == {True, False}
