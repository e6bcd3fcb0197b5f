import pytest

from services.trainer.step_graph import SHARD_IMAGES, plan_steps
from shared.domain.training.states import StepKind
from shared.recipes import list_recipes, load_recipe


def plan(recipe, images, test_images=0, seconds_per_image=None):
    return plan_steps(
        recipe,
        images=images,
        test_images=test_images,
        seconds_per_image=seconds_per_image or {},
    )


@pytest.mark.parametrize("name", list_recipes())
def test_every_step_follows_its_prerequisites_and_all_lead_to_the_gate(
    name,
):
    steps = plan(load_recipe(name), images=300, test_images=30)
    earlier_names: set[str] = {"plan"}
    for step in steps:
        assert set(step.prerequisites) <= earlier_names
        assert step.name not in earlier_names
        assert step.weight > 0
        earlier_names.add(step.name)
    prerequisites = set()
    for step in steps:
        prerequisites.update(step.prerequisites)
    assert [step.name for step in steps if step.name not in prerequisites] == ["gate"]


def test_every_image_is_in_one_shard_of_each_feature_set():
    count = 2 * SHARD_IMAGES + 5
    steps = plan(load_recipe("light"), images=count)
    for index in range(3):
        images = []
        for step in steps:
            if step.kind is StepKind.FEATURES and step.subject["feature_set"] == index:
                images += range(step.subject["start"], step.subject["end"])
        assert images == list(range(count))


def test_a_fold_waits_for_the_tunings_of_every_fold_which_choose_the_epochs():
    steps = {step.name: step for step in plan(load_recipe("lee2019"), images=60)}
    fold_tunings = {
        name
        for name in steps
        if name.startswith("tuning/") and not name.endswith("/final")
    }
    assert fold_tunings < set(steps["fold/0"].prerequisites)
    assert {
        name
        for name in steps["fit/alexnet/svm"].prerequisites
        if name.endswith("/final")
    }


def test_the_number_of_folds_is_the_recipes():
    steps = plan(load_recipe("light").with_folds(6), images=50)
    assert sum(step.kind is StepKind.FOLD for step in steps) == 6


def test_a_steps_time_in_an_earlier_run_is_its_weight_in_the_next():
    steps = plan(
        load_recipe("light"), images=50, seconds_per_image={("features", "0"): 2.0}
    )
    weights = {step.name: step.weight for step in steps}
    assert weights["features/squeezenet/0"] == pytest.approx(100.0)


def test_features_wait_for_every_outline_network_that_the_recipe_trains():
    light = load_recipe("light")
    steps = {step.name: step for step in plan(light, images=60)}
    outlines = {name for name in steps if steps[name].kind is StepKind.OUTLINE}
    folds = {f"outline/{fold}" for fold in range(light.outline.folds)}
    assert outlines == {*folds, "outline/final"}
    for step in steps.values():
        if step.kind is StepKind.FEATURES:
            assert outlines <= set(step.prerequisites)


def test_one_outline_network_of_phantoms_serves_every_image():
    steps = {step.name: step for step in plan(load_recipe("starter"), images=60)}
    outlines = [name for name in steps if steps[name].kind is StepKind.OUTLINE]
    assert outlines == ["outline/final"]
    for step in steps.values():
        if step.kind is StepKind.FEATURES:
            assert "outline/final" in step.prerequisites


def test_without_enough_masks_nothing_is_outlined():
    steps = plan(load_recipe("light").with_outlines(masks=3, images=60), images=60)
    assert not [step for step in steps if step.kind is StepKind.OUTLINE]
