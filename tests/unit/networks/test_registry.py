import pytest

from shared.networks import NetworkUnknown, get_network, list_networks


def test_every_network_is_listed_by_name():
    assert [card.name for card in list_networks()] == ["mobilenet_v2", "sera_tiny", "squeezenet"]


def test_an_unknown_network_is_refused_with_the_known_ones():
    with pytest.raises(NetworkUnknown, match="squeezenet"):
        get_network("lenet")


@pytest.mark.parametrize("card", list_networks(), ids=lambda card: card.name)
def test_a_card_names_its_source_and_its_weights_licence(card):
    assert card.source
    assert card.weights is None or (card.weights.licence and card.weights.url.startswith("https://"))
