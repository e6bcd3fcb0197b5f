from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.imaging import Framing
from shared.imaging.regions.normalise import to_input
from shared.learning.samples.nodules import FramedNodules
from shared.learning.tuning import Hyperparameters, Tuner
from shared.learning.tuning.errors import StageUnknown
from shared.learning.tuning.tuner import balance_classes
from shared.recipes import NetworkFeatures, Tuning
from shared.statistics import roc_auc
from tests.unit.learning.tuning.conftest import COUNT, PLAN

ROWS = np.arange(COUNT)
HYPERPARAMETERS = Hyperparameters(rate=0.003, decay=0.0, epochs=3)


def changed_stages(original: dict, tuned: dict) -> set[str]:
    return {
        name.split(".")[0]
        for name in original
        if not torch.equal(original[name], tuned[name])
    }


def state_of(backbone) -> dict:
    layers = backbone.stages.items()
    return {
        f"{stage}.{name}": tensor
        for stage, layer in layers
        for name, tensor in layer.state_dict().items()
    }


def copied(state: dict) -> dict:
    return {name: tensor.clone() for name, tensor in state.items()}


def layers_of(network) -> dict:
    return {
        name.removeprefix("layers."): tensor
        for name, tensor in network.state_dict().items()
    }


def test_transfer_trains_only_the_last_layer(new_tuner, backbone):
    tuner = new_tuner(Tuning.TRANSFER)
    original = copied(state_of(backbone))
    network = tuner.network(tuner.tune(ROWS, HYPERPARAMETERS), ("avg",))
    assert changed_stages(original, layers_of(network)) == set()
    assert network.head.weight.abs().sum() > 0


def test_fine_tuning_changes_neither_frozen_stages_nor_the_backbone(
    new_tuner, backbone
):
    tuner = new_tuner(Tuning.FINE_TUNE, frozen="block2")
    original = copied(state_of(backbone))
    network = tuner.network(tuner.tune(ROWS, HYPERPARAMETERS), ("avg",))
    assert changed_stages(original, layers_of(network)) == {
        "block3",
        "block4",
    }
    assert changed_stages(original, state_of(backbone)) == set()


def test_without_a_frozen_stage_every_stage_is_tuned_and_batch_norm_keeps_its_statistics(
    new_tuner, backbone
):
    tuner = new_tuner(Tuning.FINE_TUNE)
    network = tuner.network(tuner.tune(ROWS, HYPERPARAMETERS), ("avg",))
    tuned = layers_of(network)
    assert changed_stages(state_of(backbone), tuned) == {
        "block1",
        "block2",
        "block3",
        "block4",
    }
    for name, tensor in state_of(backbone).items():
        if "running" in name or "tracked" in name:
            assert torch.equal(tensor, tuned[name])


TUNINGS = [(Tuning.TRANSFER, ""), (Tuning.FINE_TUNE, "block2"), (Tuning.FINE_TUNE, "")]


@pytest.mark.parametrize(("tuning", "frozen"), TUNINGS)
def test_the_complete_network_has_the_log_odds_of_the_tuned_layers(
    new_tuner, samples, tuning, frozen
):
    tuner = new_tuner(tuning, frozen)
    layers = tuner.tune(ROWS, HYPERPARAMETERS)
    network = tuner.network(layers, ("block3.avg",))
    norm = network.card.normalisation
    images = np.stack(
        [
            to_input(s.load(Framing(0.1)), network.card.input_px, norm.mean, norm.std)
            for s in samples[:6]
        ]
    )
    log_odds = network(torch.from_numpy(images))[:, -1].numpy()
    np.testing.assert_allclose(log_odds, tuner.log_odds(layers, ROWS[:6]), atol=1e-4)
    assert network.width == 64 + 1


def test_tuning_fits_the_labels(new_tuner, malignant):
    tuner = new_tuner(Tuning.FINE_TUNE, "block2")
    layers = tuner.tune(ROWS, replace(HYPERPARAMETERS, epochs=20))
    assert roc_auc(tuner.log_odds(layers, ROWS), malignant) > 0.85


def test_the_same_seed_gives_the_same_weights_with_and_without_a_callback(new_tuner):
    tuner = new_tuner(Tuning.FINE_TUNE, "block3")
    first = tuner.tune(ROWS, HYPERPARAMETERS)
    epochs = []
    second = tuner.tune(
        ROWS,
        HYPERPARAMETERS,
        lambda epoch, layers, loss: epochs.append(
            (epoch, tuner.log_odds(layers, ROWS))
        ),
    )
    assert [epoch for epoch, _ in epochs] == [1, 2, 3]
    np.testing.assert_array_equal(
        tuner.log_odds(first, ROWS), tuner.log_odds(second, ROWS)
    )
    np.testing.assert_array_equal(tuner.log_odds(first, ROWS), epochs[-1][1])


def test_a_shorter_tuning_equals_the_beginning_of_a_longer_one(new_tuner):
    """The number of epochs can therefore be chosen from one tuning."""
    tuner = new_tuner(Tuning.FINE_TUNE, "block3")
    epochs = []
    tuner.tune(
        ROWS,
        HYPERPARAMETERS,
        lambda epoch, layers, loss: epochs.append(tuner.log_odds(layers, ROWS)),
    )
    short = tuner.tune(ROWS, replace(HYPERPARAMETERS, epochs=2))
    np.testing.assert_array_equal(tuner.log_odds(short, ROWS), epochs[1])


def test_labels_of_other_images_do_not_influence_a_network(
    backbone, samples, malignant, tmp_path
):
    training_rows = ROWS[:20]
    flipped = malignant.copy()
    flipped[20:] = ~flipped[20:]
    features = NetworkFeatures("sera_tiny", ("avg",), Tuning.FINE_TUNE, "block3")
    log_odds_by_labels = []
    for labels in (malignant, flipped):
        tuner = Tuner(
            backbone=backbone,
            features=features,
            samples=samples,
            nodules=FramedNodules(Framing(0.1)),
            malignant=labels,
            plan=PLAN,
            seed=0,
            device=torch.device("cpu"),
            folder=tmp_path,
        )
        log_odds_by_labels.append(
            tuner.log_odds(tuner.tune(training_rows, HYPERPARAMETERS), ROWS)
        )
    np.testing.assert_array_equal(*log_odds_by_labels)


def test_averaged_weights_move_less(new_tuner):
    plain, averaged = (
        new_tuner(Tuning.FINE_TUNE, "block3", replace(PLAN, average=share))
        for share in (0.0, 0.9)
    )
    start = averaged.tune(ROWS, replace(HYPERPARAMETERS, epochs=0)).state_dict()
    distances = [
        sum(
            (state[name] - start[name]).norm()
            for name in start
            if "block4" in name and "weight" in name
        )
        for state in (
            plain.tune(ROWS, HYPERPARAMETERS).state_dict(),
            averaged.tune(ROWS, HYPERPARAMETERS).state_dict(),
        )
    ]
    assert 0 < distances[1] < distances[0]


def test_an_unknown_stage_cannot_be_frozen(new_tuner):
    with pytest.raises(StageUnknown, match="block1, block2, block3, block4"):
        new_tuner(Tuning.FINE_TUNE, "fire9")


@given(st.lists(st.booleans(), min_size=2, max_size=60), st.integers(0, 5))
@settings(deadline=None)
def test_balancing_adds_mirror_images_of_the_rarer_class_until_both_are_equal(
    labels, seed
):
    malignant = np.array(labels)
    balanced_rows, mirrored = balance_classes(
        np.arange(len(labels)), malignant, np.random.default_rng(seed)
    )
    np.testing.assert_array_equal(balanced_rows[: len(labels)], np.arange(len(labels)))
    assert not mirrored[: len(labels)].any()
    assert mirrored[len(labels) :].all()
    if 0 < malignant.sum() < len(labels):
        assert malignant[balanced_rows].sum() * 2 == len(balanced_rows)
    else:
        assert len(balanced_rows) == len(labels)
