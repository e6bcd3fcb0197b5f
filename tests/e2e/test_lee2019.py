"""The recipe of the paper from weight files to a bundle, on phantoms and at small scale."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from shared.bundles import load, save
from shared.learning import fit, phantom_samples, recipe_framing
from shared.networks import WeightsFinder, get_network
from shared.recipes import Forest, Recipe, Validation, load_recipe

IMAGES = 12
TAPS = {
    "alexnet": "fc2",
    "overfeat_accurate": "fc2",
    "vgg_f": "fc1",
    "vgg19": "fc2",
    "resnet50": "avg",
    "inception_v3": "avg",
}
SHORT_FORM = ("resnet50", "inception_v3")
"""The networks of the recipe with the smallest files: 0.2 GB of weights, where all six have 1.8 GB.
"""


@pytest.fixture
def recipe(long: bool) -> Recipe:
    """Taps, tunings and classifiers as they are; fewer folds, epochs and trees, in the short form
    fewer networks.
    """
    recipe = load_recipe("lee2019")
    features = [
        feature for feature in recipe.features if long or feature.network in SHORT_FORM
    ]
    classifiers = [
        replace(classifier, trees=10) if isinstance(classifier, Forest) else classifier
        for classifier in recipe.classifiers
    ]
    return replace(
        recipe,
        features=tuple(features),
        classifiers=tuple(classifiers),
        tuning=replace(recipe.tuning, epochs=1, rates=(1e-4,), batch=6),
        validation=Validation(folds=2, inner_folds=2),
    )


@pytest.fixture
def weights(recipe, filled, tmp_path) -> Iterator[WeightsFinder]:
    """A file of random weights for each network, removed as soon as the test is over."""
    for features in recipe.features:
        file = tmp_path / get_network(features.network).card.weights.files[0]
        torch.save(filled(features.network).state_dict(), file)
    yield WeightsFinder(tmp_path, tmp_path, download=False)
    for file in tmp_path.glob("*.pth"):
        file.unlink()


@pytest.mark.slow
@pytest.mark.timeout(900)  # it reads and writes gigabytes
def test_lee2019_goes_from_weight_files_to_a_bundle_that_reads(
    recipe, weights, tmp_path: Path
):
    samples = phantom_samples(IMAGES, 40)
    model = fit(samples, recipe, weights)
    assert model.metrics["images"] == IMAGES
    assert {name for name in model.metrics if name.startswith("auc ")} == {
        f"auc {features.network}/{kind}"
        for features in recipe.features
        for kind in ("svm", "forest")
    }
    save(model, tmp_path / "bundle", synthetic=True)
    nodules = [sample.load(recipe_framing(recipe)) for sample in samples[:2]]
    scores = [prediction.score for prediction in model.predict(nodules)]
    del model  # else its networks and those of the bundle are in memory together
    predictions = load(tmp_path / "bundle").predict(nodules)
    assert [prediction.score for prediction in predictions] == pytest.approx(
        scores, abs=1e-4
    )
    components = {
        (component.network, component.tap) for component in predictions[0].components
    }
    assert components == {
        (features.network, TAPS[features.network]) for features in recipe.features
    }


def test_the_recipe_names_the_six_networks_of_the_paper():
    assert {features.network for features in load_recipe("lee2019").features} == set(
        TAPS
    )
