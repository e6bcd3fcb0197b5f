from dataclasses import replace

import pytest

from shared.learning import baseline_recipe
from shared.recipes import (
    HandcraftedFeatures,
    list_recipes,
    load_recipe,
    read_recipe,
)


def test_the_baseline_of_light_is_one_svm_on_the_averages_of_all_stages():
    baseline = baseline_recipe(load_recipe("light"))
    (component,) = baseline.select_components(baseline.fusion.members)
    assert baseline.label(component) == "squeezenet+mobilenet_v2/svm"
    taps = [tap for features in baseline.features for tap in features.taps]
    assert {tap.split(".")[1] for tap in taps} == {"avg"}
    assert {"fire3.avg", "fire9.avg", "block3.avg", "conv.avg"} <= set(taps)
    assert baseline.outline is None
    assert baseline.roi == load_recipe("light").roi


@pytest.mark.parametrize("name", [*list_recipes()])
def test_the_baseline_of_every_recipe_can_be_read(name):
    baseline = baseline_recipe(load_recipe(name))
    if name == "starter":
        assert baseline is None
        return
    assert read_recipe(baseline.as_table()) == baseline
    assert len(baseline.features) <= 2
    assert len(baseline.select_components(baseline.fusion.members)) == 1


def test_a_recipe_without_a_network_has_none():
    recipe = load_recipe("light")
    formulas = [
        part for part in recipe.features if isinstance(part, HandcraftedFeatures)
    ]
    assert baseline_recipe(replace(recipe, features=tuple(formulas))) is None
