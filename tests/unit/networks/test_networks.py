"""Properties of every network in the registry."""

import numpy as np
import pytest
import torch
from torch import nn

from shared.imaging import Framing
from shared.imaging.regions.normalise import to_input
from shared.learning import phantom_samples
from shared.networks import (
    NetworkCard,
    Pool,
    TapNetwork,
    build_without_weights,
    get_network,
    list_networks,
)
from shared.networks.pooling import spatial_maps
from shared.networks.weights.importers.layers import weighted_layers

CARDS = list_networks()
EVERY_CARD = pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
LARGE = frozenset(
    {"efficientnet_v2_s", "inception_resnet_v2", "resnet101", "resnet50_v2", "vgg19"}
)
"""Complete passes through these are for the long form; each has a smaller relative."""
HEADLESS = frozenset({"dinov2_vits14"})
"""Networks without a fully connected layer of their own."""
EVERY_PASS = pytest.mark.parametrize(
    "card",
    [
        pytest.param(
            card, marks=[pytest.mark.long] if card.name in LARGE else [], id=card.name
        )
        for card in CARDS
    ],
)

ALEXNET = {  # the published sizes
    "conv1": (96, 55, 55),
    "pool1": (96, 27, 27),
    "conv2": (256, 27, 27),
    "pool2": (256, 13, 13),
    "conv3": (384, 13, 13),
    "conv4": (384, 13, 13),
    "conv5": (256, 13, 13),
    "pool5": (256, 6, 6),
    "fc1": (4096,),
    "fc2": (4096,),
}
OVERFEAT = {  # table 3 of Sermanet et al. 2014: inputs of 221, 36, 15, 15, 15, 15, 5, 1
    "conv1": (96, 108, 108),
    "pool1": (96, 36, 36),
    "conv2": (256, 30, 30),
    "pool2": (256, 15, 15),
    "conv3": (512, 15, 15),
    "conv4": (512, 15, 15),
    "conv5": (1024, 15, 15),
    "conv6": (1024, 15, 15),
    "pool6": (1024, 5, 5),
    "fc1": (4096,),
    "fc2": (4096,),
}
VGG_F = {  # MatConvNet's imagenet-vgg-f
    "conv1": (64, 54, 54),
    "pool1": (64, 27, 27),
    "conv2": (256, 27, 27),
    "pool2": (256, 13, 13),
    "conv3": (256, 13, 13),
    "conv4": (256, 13, 13),
    "conv5": (256, 13, 13),
    "pool5": (256, 6, 6),
    "fc1": (4096,),
    "fc2": (4096,),
}


def shapes_of_stages(card: NetworkCard) -> dict[str, tuple[int, ...]]:
    """Computed on torch's meta device, without numbers."""
    definition = get_network(card.name)
    values = torch.empty(2, 3, card.input_px, card.input_px, device="meta")
    shapes = {}
    for stage, layers in definition.stages(build_without_weights(definition)).items():
        values = layers.eval()(values)
        shapes[stage] = tuple(spatial_maps(values).shape[1:])
    return shapes


def two_phantoms(card: NetworkCard) -> torch.Tensor:
    """(2, 4, S, S): one benign, one malignant, each with its outline."""
    side = card.input_px
    inputs = []
    for sample in phantom_samples(2, 0):
        image = to_input(
            sample.load(Framing(0.15)),
            side,
            card.normalisation.mean,
            card.normalisation.std,
        )
        mask = np.zeros((1, side, side), np.float32)
        mask[:, side // 4 : -side // 4, side // 4 : -side // 4] = 1
        inputs.append(np.concatenate([image, mask]))
    return torch.from_numpy(np.stack(inputs))


def embedding_of_complete_pass(
    name: str, module: nn.Module, images: torch.Tensor
) -> torch.Tensor:
    """The input (N, C) of the last layer with weights in the network's own forward pass.

    Without such a layer, the mean of the patch tokens.
    """
    inputs = []
    if name in HEADLESS:
        with torch.inference_mode():
            return module.forward_features(images)[:, 1:].mean(1)
    last = list(weighted_layers(module).values())[-1]
    with (
        torch.inference_mode(),
        last.register_forward_pre_hook(
            lambda layer, arguments: inputs.append(arguments[0])
        ),
    ):
        module(images)
    return inputs[0].mean((2, 3)) if inputs[0].dim() == 4 else inputs[0]


@EVERY_CARD
def test_a_tap_is_as_wide_as_its_stage_and_flat_without_a_map(card):
    shapes = shapes_of_stages(card)
    assert {name: shapes[tap.stage][0] for name, tap in card.taps.items()} == {
        name: tap.width for name, tap in card.taps.items()
    }
    assert all(
        (tap.pool is Pool.FLAT) == (len(shapes[tap.stage]) == 1)
        for tap in card.taps.values()
    )


@EVERY_PASS
def test_all_taps_give_features_and_the_embedding_is_the_last_layer_s_input(
    card, filled
):
    module = filled(card.name)
    images = two_phantoms(card)
    complete_pass = embedding_of_complete_pass(card.name, module, images[:1, :3])
    features = TapNetwork(
        card, get_network(card.name).stages(module), tuple(card.taps)
    )(images)
    assert features.dtype == torch.float32
    assert features.isfinite().all()
    features_by_tap = dict(
        zip(
            card.taps,
            features.split([tap.width for tap in card.taps.values()], 1),
            strict=True,
        )
    )
    assert [
        name
        for name, (benign, malignant) in features_by_tap.items()
        if torch.equal(benign, malignant)
    ] == []
    torch.testing.assert_close(
        features_by_tap[card.embedding][:1], complete_pass, rtol=1e-3, atol=1e-4
    )


@EVERY_CARD
def test_layers_behind_the_deepest_tap_are_dropped(card):
    definition = get_network(card.name)
    stages = definition.stages(build_without_weights(definition))
    for name, tap in {
        tap.stage: (name, tap) for name, tap in card.taps.items()
    }.values():
        network = TapNetwork(card, stages, (name,))
        assert list(network.layers) == list(stages)[: list(stages).index(tap.stage) + 1]


@EVERY_CARD
def test_no_stage_has_an_auxiliary_classifier_or_the_last_layer(card):
    definition = get_network(card.name)
    module = build_without_weights(definition)
    stage_layers = {
        id(layer)
        for stage in definition.stages(module).values()
        for layer in stage.modules()
    }
    dropped = {
        name
        for name, layer in weighted_layers(module).items()
        if id(layer) not in stage_layers
    }
    assert (list(weighted_layers(module))[-1] in dropped) != (card.name in HEADLESS)
    assert all(name.lower().startswith(("aux", "classif", "fc")) for name in dropped), (
        dropped
    )


@pytest.mark.parametrize(
    ("name", "table"),
    [("alexnet", ALEXNET), ("overfeat_accurate", OVERFEAT), ("vgg_f", VGG_F)],
)
def test_every_stage_of_a_network_of_our_own_has_the_published_shape(name, table):
    assert shapes_of_stages(get_network(name).card) == table


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("alexnet", 60_965_224),
        ("overfeat_accurate", 144_656_488),
        ("vgg16", 138_357_544),
        ("inception_resnet_v2", 55_843_464),
        ("xception", 22_855_952),
        ("convnext_tiny", 28_589_128),
        ("efficientnet_v2_s", 21_458_488),
        ("mobilenet_v3_large", 5_483_032),
        ("resnet50_v2", 25_557_032),
        ("efficientnet_lite0", 4_652_008),
    ],
)
def test_a_network_has_as_many_weights_as_the_published_one(name, count):
    assert (
        sum(
            parameter.numel()
            for parameter in build_without_weights(get_network(name)).parameters()
        )
        == count
    )


def test_response_normalisation_is_caffe_s_in_alexnet_and_matconvnet_s_in_vgg_f():
    """The formulas of both.

    Caffe: x / (k + alpha / n * sum x^2)^beta over n = 5 channels.
    MatConvNet: x / (kappa + alpha * sum x^2)^beta.
    """
    values = 50 * torch.randn(1, 9, 2, 2, generator=torch.Generator().manual_seed(0))
    squares = nn.functional.pad(values**2, (0, 0, 0, 0, 2, 2)).unfold(1, 5, 1).sum(-1)
    by_caffe = values / (1 + 1e-4 / 5 * squares) ** 0.75
    by_matconvnet = values / (2 + 1e-4 * squares) ** 0.75
    torch.testing.assert_close(
        build_without_weights(get_network("alexnet")).norm1(values), by_caffe
    )
    torch.testing.assert_close(
        build_without_weights(get_network("vgg_f")).norm2(values), by_matconvnet
    )


@pytest.mark.parametrize(
    ("name", "grey", "expected"),
    [
        ("alexnet", 255, 255 - 122.679),
        ("vgg_f", 0, -123.68),
        ("overfeat_accurate", 200, (200 - 118.380948) / 61.896913),
        ("inception_v3", 255, 1.0),
        ("googlenet", 0, -1.0),
    ],
)
def test_inputs_are_scaled_as_the_weights_were_trained(name, grey, expected):
    normalisation = get_network(name).card.normalisation
    assert (grey / 255 - normalisation.mean[0]) / normalisation.std[0] == pytest.approx(
        expected
    )


def test_the_last_stage_of_densenet_ends_with_its_norm_and_relu(filled):
    definition = get_network("densenet201")
    last = list(definition.stages(filled("densenet201")).values())[-1]
    assert [type(layer).__name__ for layer in last][-2:] == ["BatchNorm2d", "ReLU"]


def test_connected_layers_have_the_dropout_of_the_original():
    kinds = {}
    for name in ("alexnet", "alexnet_owt", "overfeat_accurate", "vgg16", "vgg_f"):
        stages = get_network(name).stages(build_without_weights(get_network(name)))
        kinds[name] = [
            sum(isinstance(layer, nn.Dropout) for layer in stages[stage])
            for stage in ("fc1", "fc2")
        ]
    assert kinds == {
        "alexnet": [1, 1],
        "alexnet_owt": [1, 1],
        "overfeat_accurate": [1, 1],
        "vgg16": [1, 1],
        "vgg_f": [1, 1],
    }
