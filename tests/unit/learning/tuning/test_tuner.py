from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.imaging.regions.normalise import to_input
from shared.learning.tuning import Hyperparameters, Tuner
from shared.learning.tuning.errors import StageUnknown
from shared.learning.tuning.tuner import balance_classes
from shared.recipes import NetworkFeatures, Tuning
from shared.statistics import roc_auc
from tests.unit.learning.tuning.conftest import COUNT, PLAN

ROWS = np.arange(COUNT)
COURSE = Hyperparameters(rate=0.003, decay=0.0, epochs=3)


def changed(before: dict, after: dict) -> set[str]:
    return {
        name.split(".")[0]
        for name in before
        if not torch.equal(before[name], after[name])
    }


def state_of(body) -> dict:
    layers = body.stages.items()
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


def test_transfer_trains_the_last_layer_alone(new_tuner, body):
    tuner = new_tuner(Tuning.TRANSFER)
    before = copied(state_of(body))
    network = tuner.network(tuner.tune(ROWS, COURSE), ("avg",))
    assert changed(before, layers_of(network)) == set()
    assert network.head.weight.abs().sum() > 0


def test_fine_tuning_leaves_frozen_stages_and_the_body_it_started_from(new_tuner, body):
    tuner = new_tuner(Tuning.FINE_TUNE, frozen="block2")
    before = copied(state_of(body))
    network = tuner.network(tuner.tune(ROWS, COURSE), ("avg",))
    assert changed(before, layers_of(network)) == {
        "block3",
        "block4",
    }
    assert changed(before, state_of(body)) == set()


def test_without_a_frozen_stage_every_stage_is_tuned_and_batch_norm_keeps_its_statistics(
    new_tuner, body
):
    tuner = new_tuner(Tuning.FINE_TUNE)
    network = tuner.network(tuner.tune(ROWS, COURSE), ("avg",))
    after = layers_of(network)
    assert changed(state_of(body), after) == {"block1", "block2", "block3", "block4"}
    for name, tensor in state_of(body).items():
        if "running" in name or "tracked" in name:
            assert torch.equal(tensor, after[name])


WAYS = [(Tuning.TRANSFER, ""), (Tuning.FINE_TUNE, "block2"), (Tuning.FINE_TUNE, "")]


@pytest.mark.parametrize(("tuning", "frozen"), WAYS)
def test_the_whole_network_says_what_the_tuned_layers_said(
    new_tuner, samples, tuning, frozen
):
    tuner = new_tuner(tuning, frozen)
    tail = tuner.tune(ROWS, COURSE)
    network = tuner.network(tail, ("block3.avg",))
    norm = network.card.normalisation
    images = np.stack(
        [
            to_input(s.load(), network.card.input_px, norm.mean, norm.std)
            for s in samples[:6]
        ]
    )
    verdicts = network(torch.from_numpy(images))[:, -1].numpy()
    np.testing.assert_allclose(verdicts, tuner.log_odds(tail, ROWS[:6]), atol=1e-4)
    assert network.width == 64 + 1


def test_tuning_learns_what_it_is_shown(new_tuner, malignant):
    tuner = new_tuner(Tuning.FINE_TUNE, "block2")
    tail = tuner.tune(ROWS, replace(COURSE, epochs=20))
    assert roc_auc(tuner.log_odds(tail, ROWS), malignant) > 0.85


def test_the_same_seed_gives_the_same_weights_and_looking_on_changes_nothing(new_tuner):
    tuner = new_tuner(Tuning.FINE_TUNE, "block3")
    first = tuner.tune(ROWS, COURSE)
    seen = []
    second = tuner.tune(
        ROWS,
        COURSE,
        lambda epoch, tail, loss: seen.append((epoch, tuner.log_odds(tail, ROWS))),
    )
    assert [epoch for epoch, _ in seen] == [1, 2, 3]
    np.testing.assert_array_equal(
        tuner.log_odds(first, ROWS), tuner.log_odds(second, ROWS)
    )
    np.testing.assert_array_equal(tuner.log_odds(first, ROWS), seen[-1][1])


def test_fewer_epochs_are_the_beginning_of_more(new_tuner):
    """So that the number of epochs can be chosen from one descent."""
    tuner = new_tuner(Tuning.FINE_TUNE, "block3")
    seen = []
    tuner.tune(
        ROWS, COURSE, lambda epoch, tail, loss: seen.append(tuner.log_odds(tail, ROWS))
    )
    short = tuner.tune(ROWS, replace(COURSE, epochs=2))
    np.testing.assert_array_equal(tuner.log_odds(short, ROWS), seen[1])


def test_labels_of_images_it_is_not_tuned_on_have_no_part_in_a_network(
    body, samples, malignant, tmp_path
):
    known = ROWS[:20]
    other = malignant.copy()
    other[20:] = ~other[20:]
    features = NetworkFeatures("sera_tiny", ("avg",), Tuning.FINE_TUNE, "block3")
    device = torch.device("cpu")
    margins = []
    for labels in (malignant, other):
        tuner = Tuner(body, features, samples, labels, PLAN, 0, device, tmp_path)
        margins.append(tuner.log_odds(tuner.tune(known, COURSE), ROWS))
    np.testing.assert_array_equal(*margins)


def test_averaged_weights_move_less(new_tuner):
    plain, averaged = (
        new_tuner(Tuning.FINE_TUNE, "block3", replace(PLAN, average=share))
        for share in (0.0, 0.9)
    )
    still = averaged.tune(ROWS, replace(COURSE, epochs=0)).state_dict()
    moved = [
        sum(
            (after[name] - still[name]).norm()
            for name in still
            if "block4" in name and "weight" in name
        )
        for after in (
            plain.tune(ROWS, COURSE).state_dict(),
            averaged.tune(ROWS, COURSE).state_dict(),
        )
    ]
    assert 0 < moved[1] < moved[0]


def test_a_stage_that_is_not_there_cannot_be_frozen(new_tuner):
    with pytest.raises(StageUnknown, match="block1, block2, block3, block4"):
        new_tuner(Tuning.FINE_TUNE, "fire9")


@given(st.lists(st.booleans(), min_size=2, max_size=60), st.integers(0, 5))
@settings(deadline=None)
def test_balancing_adds_mirror_images_of_the_rarer_class_until_both_are_equal(
    labels, seed
):
    malignant = np.array(labels)
    shown, mirrored = balance_classes(
        np.arange(len(labels)), malignant, np.random.default_rng(seed)
    )
    np.testing.assert_array_equal(shown[: len(labels)], np.arange(len(labels)))
    assert not mirrored[: len(labels)].any()
    assert mirrored[len(labels) :].all()
    if 0 < malignant.sum() < len(labels):
        assert malignant[shown].sum() * 2 == len(shown)
    else:
        assert len(shown) == len(labels)
