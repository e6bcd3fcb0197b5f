import pytest
import torch

from shared.networks import (
    NetworkUnknown,
    build_without_weights,
    get_network,
    list_networks,
)

NAMES = [
    "alexnet",
    "alexnet_owt",
    "convnext_tiny",
    "densenet201",
    "dinov2_vits14",
    "efficientnet_lite0",
    "efficientnet_v2_s",
    "googlenet",
    "inception_resnet_v2",
    "inception_v3",
    "mobilenet_v2",
    "mobilenet_v3_large",
    "overfeat_accurate",
    "resnet101",
    "resnet18",
    "resnet50",
    "resnet50_v2",
    "sera_tiny",
    "shufflenet",
    "squeezenet",
    "vgg16",
    "vgg19",
    "vgg_f",
    "xception",
]


def test_every_network_is_listed_by_name():
    assert [card.name for card in list_networks()] == NAMES


def test_an_unknown_network_is_refused_with_the_known_ones():
    with pytest.raises(NetworkUnknown, match="squeezenet"):
        get_network("lenet")


def test_a_network_without_weights_has_the_names_of_a_built_one_and_no_numbers():
    definition = get_network("sera_tiny")
    empty = build_without_weights(definition).state_dict()
    built = definition.build().state_dict()
    assert {name: tensor.shape for name, tensor in empty.items()} == {
        name: t.shape for name, t in built.items()
    }
    assert {tensor.device for tensor in empty.values()} == {torch.device("meta")}


@pytest.mark.parametrize("card", list_networks(), ids=lambda card: card.name)
def test_a_card_names_its_source_and_its_embedding_among_its_taps(card):
    assert card.source
    assert card.embedding in card.taps


@pytest.mark.parametrize(
    "card",
    [card for card in list_networks() if card.weights],
    ids=lambda card: card.name,
)
def test_weights_have_a_licence_our_own_name_and_a_secure_address_or_none(card):
    assert card.weights.licence
    assert f"{card.name}.pth" in card.weights.files
    assert not card.weights.url or card.weights.url.startswith("https://")


@pytest.mark.parametrize(
    "card",
    [card for card in list_networks() if card.weights and card.weights.url],
    ids=lambda card: card.name,
)
def test_the_name_of_a_download_has_the_ending_of_its_format(card):
    assert card.weights.download_name in card.weights.files
    assert (
        card.weights.download_name.rsplit(".")[-1] == card.weights.url.rsplit(".")[-1]
    )
