import pytest

from services.trainer.step_graph import SHARD_IMAGES, plan_steps
from shared.domain.training.states import StepKind
from shared.recipes import list_recipes, load_recipe


@pytest.mark.parametrize("name", list_recipes())
def test_the_steps_of_every_recipe_come_after_steps_before_them_and_lead_to_the_gate(
    name,
):
    steps = plan_steps(load_recipe(name), 300, 30, {})
    seen: set[str] = {"plan"}
    for step in steps:
        assert set(step.prerequisites) <= seen
        assert step.name not in seen
        assert step.weight > 0
        seen.add(step.name)
    followed = {name for step in steps for name in step.prerequisites}
    assert [step.name for step in steps if step.name not in followed] == ["gate"]


def test_every_image_is_in_one_shard_of_each_feature_set():
    count = 2 * SHARD_IMAGES + 5
    for place in range(3):
        spans = [
            range(step.subject["start"], step.subject["end"])
            for step in plan_steps(load_recipe("light"), count, 0, {})
            if step.kind is StepKind.FEATURES and step.subject["feature_set"] == place
        ]
        assert [image for span in spans for image in span] == list(range(count))


def test_a_fold_waits_for_the_networks_of_every_fold_since_the_choice_of_epochs_needs_them():
    steps = {step.name: step for step in plan_steps(load_recipe("lee2019"), 60, 0, {})}
    tuned = {
        name
        for name in steps
        if name.startswith("tuning/") and not name.endswith("/final")
    }
    assert tuned < set(steps["fold/0"].prerequisites)
    assert {name for name in steps["fit/alexnet/svm"].prerequisites if name.endswith("/final")}


def test_the_number_of_folds_is_the_recipes():
    six = load_recipe("light").with_folds(6)
    assert sum(step.kind is StepKind.FOLD for step in plan_steps(six, 50, 0, {})) == 6


def test_what_a_step_took_in_an_earlier_run_weighs_it_in_the_next():
    pace = {("features", "0"): 2.0}
    (step,) = [
        s
        for s in plan_steps(load_recipe("light"), 50, 0, pace)
        if s.name == "features/squeezenet/0"
    ]
    assert step.weight == pytest.approx(100.0)
