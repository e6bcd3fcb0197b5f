"""Models of made-up features at a machine that they have not seen."""

from dataclasses import replace

import numpy as np
import pytest

from shared.learning import Adaptation
from shared.recipes import read_recipe
from shared.statistics import roc_auc
from shared.study.checkpoints import FolderCache
from trials.machines.transfer import (
    ADAPTATIONS,
    FOREIGN_SITE,
    Images,
    Treatment,
    foreign_area,
    judge_site,
    layout_areas,
)

COUNT = 120
RECIPE = read_recipe(
    {
        "name": "made-up",
        "version": "1",
        "source": "the tests",
        "features": [{"families": ["shape"]}],
        "classifiers": [
            {"kind": "svm", "kernel": ["rbf"], "C": [1], "gamma": [0.3, 1]}
        ],
        "validation": {"folds": 3, "inner_folds": 3},
    }
)


def images_of(*sites: str, seed: int = 0) -> Images:
    """Images of which every second is malignant, in turn from these sites."""
    rows = np.arange(COUNT)
    malignant = rows // len(sites) % 2 == 0
    table = np.random.default_rng(seed).normal(size=(COUNT, 4))
    table[:, 0] += 1.5 * malignant
    return Images(
        recipe=RECIPE,
        digests=["made-up"],
        tables=[table.astype(np.float32)],
        malignant=malignant,
        groups=np.array([f"{seed}/{row}" for row in rows]),
        sites=np.array(sites)[rows % len(sites)],
    )


def as_other_machine(images: Images) -> Images:
    return replace(images, tables=[8 * images.tables[0] + 20])


@pytest.fixture
def cache(tmp_path) -> FolderCache:
    return FolderCache(tmp_path / "cache")


@pytest.mark.parametrize("adaptation", [Adaptation.WHOLE_SITE, Adaptation.OTHER_HALF])
def test_adapted_features_are_worth_something_on_another_machine(adaptation, cache):
    foreign = as_other_machine(images_of(FOREIGN_SITE, seed=1))
    areas = {
        treatment.adaptation: foreign_area(
            images_of("one", "two"), foreign, treatment, cache
        )
        for treatment in (Treatment(False, None, 0), Treatment(False, adaptation, 0))
    }
    assert areas[None] < 0.6
    assert areas[adaptation] > 0.75


def test_the_labels_of_the_foreign_data_have_no_part_in_its_scores(cache):
    home = images_of("one", "two")
    foreign = images_of(FOREIGN_SITE, seed=1)
    turned = replace(foreign, malignant=~foreign.malignant)
    for adaptation in ADAPTATIONS:
        treatment = Treatment(True, adaptation, 0)
        scores = [
            judge_site(home.with_foreign(images), FOREIGN_SITE, treatment, cache)
            for images in (foreign, turned)
        ]
        np.testing.assert_array_equal(*scores)


def test_layouts_are_compared_pooled_and_each_with_itself(cache):
    frames = images_of("one", "two")
    treatment = Treatment(settings_by_site=False, adaptation=None, seed=0)
    scores = np.zeros(COUNT)
    for site in ("one", "two"):
        scores[frames.sites == site] = judge_site(frames, site, treatment, cache)
    pooled, within = layout_areas(frames, treatment, cache)
    assert pooled == roc_auc(scores, frames.malignant)
    at_one = frames.sites == "one"
    areas = [
        roc_auc(scores[mask], frames.malignant[mask]) for mask in (at_one, ~at_one)
    ]
    assert within == pytest.approx(np.mean(areas))
