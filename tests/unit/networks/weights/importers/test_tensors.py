from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from shared.networks import (
    WeightsUnreadable,
    build_without_weights,
    get_network,
    load_weights,
)


@pytest.fixture
def tensors():
    return {"weight": torch.arange(12.0).reshape(4, 3), "bias": torch.ones(4)}


def test_a_timm_network_comes_back_from_safetensors_as_it_was(scratch, filled):
    written = filled("xception").state_dict()
    save_file(written, scratch / "xception.safetensors")
    module = build_without_weights(get_network("xception"))
    load_weights(module, scratch / "xception.safetensors", "xception")
    assert all(
        torch.equal(tensor, written[name])
        for name, tensor in module.state_dict().items()
    )


def test_half_precision_is_read_as_single(tmp_path, tensors):
    save_file(
        {name: tensor.half() for name, tensor in tensors.items()},
        tmp_path / "layer.safetensors",
    )
    module = nn.Linear(3, 4)
    load_weights(module, tmp_path / "layer.safetensors", "layer")
    assert module.weight.dtype == torch.float32
    assert torch.equal(module.weight, tensors["weight"])


def test_a_network_with_loaded_weights_can_be_trained(tmp_path, tensors):
    torch.save(tensors, tmp_path / "layer.pth")
    module = nn.Linear(3, 4)
    load_weights(module, tmp_path / "layer.pth", "layer")
    module(torch.ones(1, 3)).sum().backward()
    assert module.weight.grad is not None


@pytest.mark.parametrize("ending", [".pth", ".safetensors"])
@pytest.mark.parametrize("keep", [0, 7, 60, -3])
def test_a_file_cut_short_is_refused(tmp_path, tensors, ending, keep):
    file = tmp_path / f"layer{ending}"
    (torch.save if ending == ".pth" else save_file)(tensors, file)
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(WeightsUnreadable, match=r"docs/networks\.md"):
        load_weights(nn.Linear(3, 4), file, "layer")


@pytest.mark.parametrize(
    "contents",
    [
        [torch.ones(2)],
        torch.ones(2),
        {"weight": 3},
        {"state": {"weight": torch.ones(2)}},
    ],
)
def test_a_pth_file_of_anything_but_named_tensors_is_refused(tmp_path, contents):
    torch.save(contents, tmp_path / "layer.pth")
    with pytest.raises(WeightsUnreadable, match="not tensors by name"):
        load_weights(nn.Linear(3, 4), tmp_path / "layer.pth", "layer")


@pytest.mark.parametrize("ending", [".pth", ".safetensors"])
def test_missing_wrong_and_surplus_tensors_are_refused(tmp_path, tensors, ending):
    save = torch.save if ending == ".pth" else save_file
    for wrong_tensors in (
        {"bias": tensors["bias"]},
        tensors | {"more": torch.ones(1)},
        tensors | {"bias": torch.ones(5)},
    ):
        save(wrong_tensors, tmp_path / f"layer{ending}")
        with pytest.raises(WeightsUnreadable):
            load_weights(nn.Linear(3, 4), tmp_path / f"layer{ending}", "layer")


def test_a_file_of_an_unknown_ending_is_refused_with_the_known_ones(tmp_path):
    Path(tmp_path / "layer.h5").touch()
    with pytest.raises(WeightsUnreadable, match=r"\.h5.*\.pth, \.safetensors, \.mat"):
        load_weights(nn.Linear(3, 4), tmp_path / "layer.h5", "layer")


def test_densenet_s_file_with_its_old_names_is_read(scratch, filled):
    """torchvision's file has `denselayer1.norm.1.weight` and no count of batches.

    The file is densenet201-c1103571.pth.
    """
    written = filled("densenet201").state_dict()
    old = {}
    for name, tensor in written.items():
        layer, _, kind = name.rpartition(".")
        dotted = f"{layer[:-1]}.{layer[-1]}" if ".denselayer" in name else layer
        old[f"{dotted}.{kind}"] = tensor
    without_counts = {
        name: tensor
        for name, tensor in old.items()
        if not name.endswith("num_batches_tracked")
    }
    assert "features.denseblock1.denselayer1.norm.1.weight" in without_counts
    torch.save(without_counts, scratch / "densenet201.pth")
    module = build_without_weights(get_network("densenet201"))
    load_weights(module, scratch / "densenet201.pth", "densenet201")
    assert all(
        torch.equal(tensor, written[name])
        for name, tensor in module.state_dict().items()
    )
