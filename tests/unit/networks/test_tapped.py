import pytest
import torch

from shared.networks import TapNetwork, TapUnknown, WeightsUnreadable, get_network

CARDS = {
    name: get_network(name).card for name in ("mobilenet_v2", "sera_tiny", "squeezenet")
}


def random_network(name: str, taps: tuple[str, ...]) -> TapNetwork:
    torch.manual_seed(0)
    definition = get_network(name)
    return TapNetwork(definition.card, definition.stages(definition.build()), taps)


def images(name: str, count: int) -> torch.Tensor:
    side = CARDS[name].input_px
    values = torch.randn(
        count, 4, side, side, generator=torch.Generator().manual_seed(1)
    )
    values[:, 3] = 0
    values[:, 3, side // 4 : side // 2, side // 4 : side // 2] = 1
    return values


@pytest.mark.parametrize("name", CARDS)
def test_every_tap_has_the_width_on_its_card(name):
    taps = tuple(CARDS[name].taps)
    features = random_network(name, taps)(images(name, 1))
    assert features.shape == (1, sum(tap.width for tap in CARDS[name].taps.values()))
    assert features.dtype == torch.float32


@pytest.mark.parametrize("name", CARDS)
def test_a_batch_gives_each_image_the_features_it_gets_alone(name):
    network = random_network(name, tuple(CARDS[name].taps))
    batch = images(name, 3)
    alone = torch.cat([network(image[None]) for image in batch])
    torch.testing.assert_close(network(batch), alone, rtol=1e-5, atol=1e-5)


def test_layers_behind_the_deepest_tap_are_dropped():
    assert list(random_network("squeezenet", ("fire6.avg", "fire4.max")).layers) == [
        "conv1",
        "fire3",
        "fire4",
        "fire6",
    ]


def test_a_cut_network_has_the_features_of_the_complete_one():
    definition = get_network("squeezenet")
    module = definition.build().eval()
    batch = images("squeezenet", 2)
    with torch.no_grad():
        expected = module.features(batch[:, :3]).mean((2, 3))
    torch.testing.assert_close(
        TapNetwork(definition.card, definition.stages(module), ("avg",))(batch),
        expected,
    )


def test_a_network_stays_in_eval_mode_without_gradients():
    network = random_network("sera_tiny", ("avg",))
    assert not network.training
    assert not network(images("sera_tiny", 1)).requires_grad


def test_taps_are_concatenated_in_the_requested_order():
    batch = images("sera_tiny", 2)
    first, second = (
        random_network("sera_tiny", (tap,))(batch) for tap in ("max", "block2.avg")
    )
    concatenated = random_network("sera_tiny", ("max", "block2.avg"))(batch)
    torch.testing.assert_close(concatenated, torch.cat([first, second], 1))


def test_an_unknown_tap_is_refused():
    with pytest.raises(TapUnknown, match="fire9"):
        random_network("squeezenet", ("fc7",))


def test_tensors_saved_and_restored_give_the_same_network():
    network = random_network("sera_tiny", ("block3.avg",))
    restored = TapNetwork.from_tensors(
        "sera_tiny", ("block3.avg",), network.state_dict()
    )
    assert restored.digest == network.digest
    assert torch.equal(
        restored(images("sera_tiny", 1)), network(images("sera_tiny", 1))
    )


def test_other_weights_have_another_digest():
    network = random_network("sera_tiny", ("avg",))
    original_digest = network.digest
    network.layers["block1"][0].weight[0, 0, 0, 0] += 1
    assert network.digest != original_digest


def test_tensors_of_another_network_are_refused():
    with pytest.raises(WeightsUnreadable):
        TapNetwork.from_tensors(
            "squeezenet", ("avg",), random_network("sera_tiny", ("avg",)).state_dict()
        )
