"""A recipe with a tuned network: the steps of its run make the same model as one `fit`."""

import pytest
import torch

from services.trainer.samples import make_samples, resolve_recipe
from shared.domain.training.states import RunState, Split, StepKind
from shared.learning import fit
from shared.networks import WeightsFinder
from shared.recipes import load_recipe
from tests.integration.trainer.conftest import phantom_rows

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
    """Twelve phantoms and four test images; a network is tuned six times on them."""
    with ledger.system_session("test") as session:
        dataset = session.datasets.ensure("phantoms", synthetic=True)
        rows = phantom_rows(objects, range(12))
        test_rows = phantom_rows(objects, range(12, 16), Split.TEST)
        session.datasets.add(dataset, [*rows, *test_rows])
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


def claim_with_each(trainers):
    """The trainers that got a step, with their steps."""
    claims = [(trainer, trainer._claim()) for trainer in trainers]
    return [(trainer, step) for trainer, step in claims if step]


def test_two_trainers_share_a_run_and_make_the_model_of_one_fit(
    make_trainer, request_run, recipe, weights, ledger, objects, version
):
    run_id = request_run(recipe, folds=2)
    trainers = [make_trainer(weights=weights), make_trainer(weights=weights)]
    while claims := claim_with_each(trainers):
        for trainer, step in reversed(claims):
            trainer._do(step)
    with ledger.system_session("test") as session:
        run = session.runs.find(run_id)
        steps = session.runs.steps(run_id)
        events = session.runs.events(run_id)
        images = session.versions.images(version.id, Split.TRAIN)
    assert run.state is RunState.DONE
    assert [step.name for step in steps if step.kind is StepKind.TUNING] == [
        "tuning/1-squeezenet/0",
        "tuning/1-squeezenet/1",
        "tuning/1-squeezenet/final",
    ]
    run_recipe = resolve_recipe(load_recipe(recipe), images)
    run_recipe = run_recipe.with_folds(2)
    samples = make_samples(images, objects)
    model = fit(samples, run_recipe, weights)
    assert run.metrics == pytest.approx(dict(model.metrics), abs=1e-6)
    epochs = [
        event.metrics
        for event in events
        if event.step == "tuning/1-squeezenet/0" and "loss" in event.metrics
    ]
    assert [epoch["epoch"] for epoch in epochs] == [1, 2]
    assert all(epoch["loss"] > 0 for epoch in epochs)
    assert all(0 <= epoch["auc"] <= 1 for epoch in epochs)
