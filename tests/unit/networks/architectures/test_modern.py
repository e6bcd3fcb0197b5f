"""The networks that are newer than the papers: their files, and DINOv2's tokens."""

import hashlib
from dataclasses import replace

import pytest
import safetensors.torch
import torch

from shared.networks import (
    TapNetwork,
    WeightsFinder,
    WeightsUnreadable,
    build_without_weights,
    get_network,
    load_weights,
)

DINOV2 = "dinov2_vits14"
PUBLISHED_SIDE = 37
"""Patches along a side of the 518 x 518 pixels that DINOv2's file has positions for."""


def published_tensors(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    """A state dict with the names and sizes of the publisher's file."""
    tensors = dict(module.state_dict())
    generator = torch.Generator().manual_seed(0)
    tensors["pos_embed"] = torch.randn(
        1, 1 + PUBLISHED_SIDE**2, 384, generator=generator
    )
    tensors["mask_token"] = torch.zeros(1, 384)
    return tensors


def random_input(name: str) -> torch.Tensor:
    """One image with a nodule in its middle, (1, 4, S, S)."""
    side = get_network(name).card.input_px
    image = torch.randn(1, 4, side, side, generator=torch.Generator().manual_seed(1))
    image[:, 3] = 0
    image[:, 3, side // 4 : -side // 4, side // 4 : -side // 4] = 1
    return image


@pytest.mark.parametrize(
    ("name", "ending"),
    [
        ("efficientnet_lite0", ".safetensors"),
        ("mobilenet_v3_large", ".pth"),
        (DINOV2, ".safetensors"),
        (DINOV2, ".pth"),
    ],
)
def test_a_downloaded_file_gives_the_features_of_the_network_that_it_is_of(
    name, ending, tmp_path, filled
):
    definition = get_network(name)
    module = filled(name)
    file = tmp_path / f"published{ending}"
    if ending == ".pth":
        torch.save(module.state_dict(), file)
    else:
        safetensors.torch.save_file(module.state_dict(), file)
    source = replace(
        definition.card.weights,
        url=file.as_uri(),
        sha256=hashlib.sha256(file.read_bytes()).hexdigest(),
    )
    path = WeightsFinder(None, tmp_path / "cache").find(
        replace(definition.card, weights=source)
    )
    loaded = build_without_weights(definition)
    load_weights(loaded, path, name)
    taps = tuple(definition.card.taps)
    expected = TapNetwork(definition.card, definition.stages(module), taps)
    network = TapNetwork(definition.card, definition.stages(loaded), taps)
    assert network.digest == expected.digest
    restored = TapNetwork.from_tensors(name, taps, network.state_dict())
    image = random_input(name)
    assert torch.equal(restored(image), expected(image))


def test_dinov2_s_file_is_fitted_to_the_input_as_timm_does(tmp_path, filled):
    from timm.layers import resample_abs_pos_embed

    definition = get_network(DINOV2)
    tensors = published_tensors(filled(DINOV2))
    file = tmp_path / "dinov2_vits14_pretrain.pth"
    torch.save(tensors, file)
    module = build_without_weights(definition)
    load_weights(module, file, DINOV2)
    assert torch.equal(
        module.pos_embed, resample_abs_pos_embed(tensors["pos_embed"], [16, 16])
    )
    load_weights(module, file, DINOV2)
    assert module.pos_embed.shape == (1, 257, 384)


def test_a_file_without_dinov2_s_blocks_is_refused(tmp_path, filled):
    tensors = published_tensors(filled(DINOV2))
    del tensors["blocks.11.mlp.fc2.weight"]
    file = tmp_path / "dinov2_vits14_pretrain.pth"
    torch.save(tensors, file)
    with pytest.raises(WeightsUnreadable, match=r"blocks\.11"):
        load_weights(build_without_weights(get_network(DINOV2)), file, DINOV2)


def test_dinov2_s_tokens_are_those_of_the_complete_network(filled):
    definition = get_network(DINOV2)
    module = filled(DINOV2)
    image = random_input(DINOV2)
    network = TapNetwork(definition.card, definition.stages(module), ("cls", "avg"))
    with torch.inference_mode():
        tokens = module.forward_features(image[:, :3])
    expected = torch.cat([tokens[:, 0], tokens[:, 1:].mean(1)], dim=1)
    torch.testing.assert_close(network(image), expected)
