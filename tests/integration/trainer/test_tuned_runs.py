"""A recipe with a tuned network through the queue: its steps make the model that `fit` makes in one go."""

import pytest
import torch

from services.trainer.samples import outlined_share, make_samples
from shared.domain.training.states import RunState, Split, StepKind
from shared.learning import fit, recipe_framing
from shared.networks import WeightsFinder
from shared.recipes import load_recipe
from tests.integration.trainer.conftest import drawn_rows

RECIPE = """
name = "tuned"
version = "1"
source = "the tests"
[[features]]
network = "squeezenet"
taps = ["avg"]
tuning = "fine-tune"
frozen = "fire8"
[[features]]
families = ["shape", "intensity"]
[[classifiers]]
kind = "svm"
kernel = ["linear"]
C = [0.1, 1]
[[classifiers]]
kind = "forest"
trees = 10
[[classifiers]]
kind = "network"
[fusion]
members = ["squeezenet/svm", "squeezenet/network", "handcrafted/forest"]
rule = "mean"
[tuning]
epochs = 2
rates = [0.001]
batch = 8
[validation]
folds = 3
inner_folds = 2
"""


@pytest.fixture
def dataset(ledger, objects):
    """Twelve phantoms and four more that are held back: a network is tuned six times on them."""
    with ledger.system_session("test") as house:
        dataset = house.datasets.ensure("phantoms", synthetic=True)
        house.datasets.add(
            dataset,
            [
                *drawn_rows(objects, range(12)),
                *drawn_rows(objects, range(12, 16), Split.TEST),
            ],
        )
    return dataset


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "tuned.toml"
    path.write_text(RECIPE)
    return path


@pytest.fixture
def weights(tmp_path, filled):
    torch.save(filled("squeezenet").state_dict(), tmp_path / "squeezenet1_1.pth")
    return WeightsFinder(tmp_path, tmp_path / "cache", download=False)


def test_two_trainers_share_a_run_and_make_the_model_that_one_fit_makes(
    make_desk, ask, recipe, weights, ledger, objects, version
):
    run_id = ask(recipe, folds=2)
    desks = [make_desk(weights=weights), make_desk(weights=weights)]
    while held := [(desk, step) for desk in desks if (step := desk._claim())]:
        for desk, step in reversed(held):
            desk._do(step)
    with ledger.system_session("test") as house:
        run = house.runs.find(run_id)
        steps = house.runs.steps(run_id)
        said = house.runs.events(run_id)
        learned = house.versions.images(version.id, Split.TRAIN)
    assert run.state is RunState.DONE
    assert [step.name for step in steps if step.kind is StepKind.TUNING] == [
        "tuning/1-squeezenet/0",
        "tuning/1-squeezenet/1",
        "tuning/1-squeezenet/final",
    ]
    whole = load_recipe(recipe).with_calipers(outlined_share(learned))
    whole = whole.with_folds(2)
    alone = fit(make_samples(learned, objects, recipe_framing(whole)), whole, weights)
    assert run.metrics == pytest.approx(dict(alone.metrics), abs=1e-6)
    epochs = [
        event.metrics
        for event in said
        if event.step == "tuning/1-squeezenet/0" and "loss" in event.metrics
    ]
    assert [each["epoch"] for each in epochs] == [1, 2]
    assert all(each["loss"] > 0 and 0 <= each["auc"] <= 1 for each in epochs)
