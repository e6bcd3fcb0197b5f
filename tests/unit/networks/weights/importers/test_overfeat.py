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

OFFSETS = {  # in numbers from the start, as github.com/jhjin/overfeat-torch lists them
    "conv1.weight": 0,
    "conv1.bias": 14112,
    "conv2.weight": 14208,
    "conv2.bias": 1218432,
    "conv3.weight": 1218688,
    "conv3.bias": 2398336,
    "conv4.weight": 2398848,
    "conv4.bias": 4758144,
    "conv5.weight": 4758656,
    "conv5.bias": 9477248,
    "conv6.weight": 9478272,
    "conv6.bias": 18915456,
    "fc7.weight": 18916480,
    "fc7.bias": 123774080,
    "fc8.weight": 123778176,
    "fc8.bias": 140555392,
    "fc9.weight": 140559488,
    "fc9.bias": 144655488,
}
LENGTH = 144_656_488


def test_each_tensor_of_the_accurate_model_is_read_from_its_published_offset(scratch):
    file = scratch / "net_weight_1"
    with file.open("wb") as stream:
        stream.truncate(4 * LENGTH)
    numbers = np.memmap(file, "<f4", "r+")
    for number, offset in enumerate(OFFSETS.values(), 1):
        numbers[offset + 5] = number
    numbers.flush()
    del numbers
    module = build_without_weights(get_network("overfeat_accurate"))
    load_weights(module, file, "overfeat_accurate")
    assert {
        name: tensor.flatten()[5].item() for name, tensor in module.state_dict().items()
    } == {name: number for number, name in enumerate(OFFSETS, 1)}
    assert sum(
        tensor.count_nonzero() for tensor in module.state_dict().values()
    ) == len(OFFSETS)


def test_a_convolution_as_large_as_its_input_is_the_connected_layer(tmp_path):
    draw = torch.Generator().manual_seed(0)
    kernels = torch.randn(4, 3, 2, 2, generator=draw)
    biases = torch.randn(4, generator=draw)
    file = tmp_path / "weights"
    file.write_bytes(
        np.concatenate([kernels.numpy().ravel(), biases.numpy()])
        .astype("<f4")
        .tobytes()
    )
    module = nn.Sequential(nn.Flatten(), nn.Linear(12, 4))
    load_weights(module, file, "one layer")
    image = torch.randn(1, 3, 2, 2, generator=draw)
    torch.testing.assert_close(
        module(image).detach(), nn.functional.conv2d(image, kernels, biases).flatten(1)
    )


@pytest.mark.parametrize("size", [0, 4 * 16 - 4, 4 * 16 + 1, 4 * 16 + 4])
def test_a_file_of_another_length_is_refused(tmp_path, size):
    (tmp_path / "net_weight_1").write_bytes(bytes(size))
    with pytest.raises(
        WeightsUnreadable, match=f"{size} bytes long where the network has 64"
    ):
        load_weights(nn.Linear(3, 4), tmp_path / "net_weight_1", "one layer")


def test_values_that_are_no_numbers_are_refused(tmp_path):
    (tmp_path / "net_weight_1").write_bytes(b"\xff" * 64)
    with pytest.raises(WeightsUnreadable, match="not numbers"):
        load_weights(nn.Linear(3, 4), tmp_path / "net_weight_1", "one layer")
