from dataclasses import replace

import numpy as np
import pytest
import torch

from shared.learning import (
    Adaptation,
    NoCache,
    Sample,
    TrainingContext,
    ignore_progress,
    phantom_samples,
    validate_by_site,
)
from shared.networks import WeightsFinder
from shared.recipes import Recipe, read_recipe

COUNT = 28
RECIPE = {
    "name": "tuned",
    "version": "1",
    "source": "the tests",
    "features": [
        {
            "network": "squeezenet",
            "taps": ["avg"],
            "tuning": "fine-tune",
            "frozen": "fire8",
        }
    ],
    "classifiers": [{"kind": "svm", "kernel": ["linear"], "C": [1]}],
    "tuning": {"epochs": 1, "rates": [0.001], "batch": 8},
    "validation": {"folds": 2, "inner_folds": 2},
}


class Stages(list):
    def __call__(self, stage, fraction, message, metrics):
        self.append((stage, fraction))


@pytest.fixture(scope="module")
def weights(tmp_path_factory, filled) -> WeightsFinder:
    folder = tmp_path_factory.mktemp("weights")
    torch.save(filled("squeezenet").state_dict(), folder / "squeezenet1_1.pth")
    return WeightsFinder(folder, folder / "cache", download=False)


def samples_of_two_sites() -> list[Sample]:
    samples = phantom_samples(COUNT, 300)
    return [
        replace(sample, site="north" if number < COUNT // 2 else "south")
        for number, sample in enumerate(samples)
    ]


def open_context(
    recipe: Recipe, samples: list[Sample], weights: WeightsFinder
) -> TrainingContext:
    return TrainingContext(
        samples=samples, recipe=recipe, weights=weights, cache=NoCache(), seed=0
    )


def test_a_network_is_tuned_without_the_labels_of_the_site_that_it_is_judged_at(
    weights,
):
    recipe = read_recipe(RECIPE)
    samples = samples_of_two_sites()
    turned = [
        replace(sample, malignant=sample.malignant != (sample.site == "south"))
        for sample in samples
    ]
    with (
        open_context(recipe, samples, weights) as context,
        open_context(recipe, turned, weights) as turned_context,
    ):
        progress = Stages()
        validation = validate_by_site(context, progress)
        turned_validation = validate_by_site(turned_context, ignore_progress)
    north, south = validation.judged
    turned_north, turned_south = turned_validation.judged
    assert (north.site, south.site) == ("north", "south")
    np.testing.assert_allclose(south.scores, turned_south.scores, atol=1e-5)
    assert not np.allclose(north.scores, turned_north.scores, atol=1e-2)
    for stage in ("sites-tuning", "sites-readers"):
        fractions = [fraction for name, fraction in progress if name == stage]
        assert fractions == sorted(fractions)
        assert fractions[-1] == 1


def test_a_tuning_that_runs_away_is_the_reason_why_a_site_is_not_judged(weights):
    recipe = read_recipe(
        {**RECIPE, "tuning": {"epochs": 1, "rates": [1e30], "batch": 8}}
    )
    with open_context(recipe, samples_of_two_sites(), weights) as context:
        validation = validate_by_site(context, ignore_progress)
    assert validation.judged == ()
    assert set(validation.problems) == {"north", "south"}
    assert "smaller `rates`" in validation.problems["north"]


def test_a_fit_knows_the_sites_that_its_settings_are_chosen_by(weights):
    table = {name: value for name, value in RECIPE.items() if name != "tuning"}
    recipe = read_recipe({**table, "features": [{"families": ["shape"]}]})
    samples = samples_of_two_sites()
    unknown = [replace(sample, site=None) for sample in samples]
    with (
        open_context(recipe, samples, weights) as context,
        open_context(recipe, unknown, weights) as context_without_sites,
    ):
        sites = context.cross_validation.sites
        assert sites.tolist() == [sample.site for sample in samples]
        assert set(context_without_sites.cross_validation.sites) == {""}
        fingerprint = context.cross_validation.fingerprint
        assert fingerprint != context_without_sites.cross_validation.fingerprint


def test_features_are_not_adapted_to_sites_of_few_images(weights):
    table = {name: value for name, value in RECIPE.items() if name != "tuning"}
    recipe = read_recipe({**table, "features": [{"families": ["shape"]}]})
    with open_context(recipe, samples_of_two_sites(), weights) as context:
        validation = validate_by_site(context, ignore_progress, Adaptation.WHOLE_SITE)
    assert validation.judged == ()
    assert "14 images of this site" in validation.problems["north"]


def test_one_site_cannot_be_left_out(weights):
    samples = [replace(sample, site="north") for sample in samples_of_two_sites()]
    table = {name: value for name, value in RECIPE.items() if name != "tuning"}
    recipe = read_recipe({**table, "features": [{"families": ["shape"]}]})
    with open_context(recipe, samples, weights) as context:
        assert validate_by_site(context, ignore_progress) is None
