"""Figures at sites that a fit had not seen, and what the gate says of them."""

import json

import numpy as np
import pytest

from shared.domain.models import Weight
from shared.statistics import roc_auc
from shared.statistics.model_life.left_out_sites import (
    BASELINE,
    RECIPE,
    JudgedImages,
    LeftOutSites,
    left_out_reason,
    left_out_sites,
)

COUNT = 120
RANDOM = np.random.default_rng(7)
MALIGNANT = RANDOM.random(COUNT) < 0.5
SITES = np.array(["north", "south"])[(np.arange(COUNT) >= 50).astype(int)]
GROUPS = np.array([str(number // 2) for number in range(COUNT)])
IMAGES = JudgedImages(malignant=MALIGNANT, groups=GROUPS, sites=SITES)
GOOD = MALIGNANT * 2.0 + RANDOM.normal(size=COUNT)
POOR = MALIGNANT * 0.2 + RANDOM.normal(size=COUNT)


def judged(recipe: np.ndarray, **others: np.ndarray) -> LeftOutSites:
    sites = left_out_sites(IMAGES, {RECIPE: recipe, **others}, decisions=recipe >= 1)
    assert sites is not None
    return sites


def test_each_site_has_its_own_figures():
    sites = judged(GOOD)
    assert [row.site for row in sites.rows] == ["north", "south"]
    for row in sites.rows:
        at_site = row.site == SITES
        malignant = MALIGNANT & at_site
        assert row.auc.value == pytest.approx(
            roc_auc(GOOD[at_site], MALIGNANT[at_site])
        )
        assert row.auc.low < row.auc.value < row.auc.high
        assert (row.images, row.malignant) == (at_site.sum(), malignant.sum())
        assert row.found == ((GOOD >= 1) & malignant).sum()
        assert row.cleared == ((GOOD < 1) & at_site & ~MALIGNANT).sum()
    rows = json.loads(json.dumps(sites.to_json(), allow_nan=False))["rows"]
    assert rows[0]["sensitivity"]["found"] == sites.rows[0].found


def test_the_area_of_all_sites_compares_images_of_one_site():
    shifted = GOOD + np.where(SITES == "south", 50.0, 0.0)
    assert judged(shifted).areas[RECIPE] == judged(GOOD).areas[RECIPE]


@pytest.mark.parametrize(
    ("recipe", "baseline", "code", "weight"),
    [
        (GOOD, POOR, "left-out-sites-kept", Weight.FOR),
        (POOR, GOOD, "left-out-sites-worse", Weight.AGAINST),
        (GOOD, GOOD, "left-out-sites-kept", Weight.FOR),
    ],
)
def test_a_recipe_that_is_worse_than_plain_averages_is_objected_to(
    recipe, baseline, code, weight
):
    reason = left_out_reason(judged(recipe, **{BASELINE: baseline}))
    assert (reason.code, reason.weight) == (code, weight)
    assert "plain averages" in str(reason.message)


def test_without_sites_or_plain_averages_nothing_is_objected():
    assert left_out_reason(None).code == "left-out-sites-unknown"
    alone = left_out_reason(judged(POOR))
    assert (alone.code, alone.weight) == ("left-out-sites-uncompared", Weight.NOTE)


def test_sites_of_one_class_only_have_no_area():
    benign = JudgedImages(malignant=np.zeros(COUNT, bool), groups=GROUPS, sites=SITES)
    assert left_out_sites(benign, {RECIPE: GOOD}, decisions=GOOD >= 1) is None
