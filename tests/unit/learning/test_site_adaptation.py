import numpy as np
import pytest

from shared.learning.errors import TooFewSiteImages
from shared.learning.features.fold_features import FixedFeatures
from shared.learning.site_adaptation import (
    Adaptation,
    AdaptedFeatures,
    FeatureStatistics,
    standardise_sites,
)

COUNT = 240
ROWS = np.arange(COUNT)
SITES = np.array(["far", "near"])[ROWS % 2]
GROUPS = np.array([f"{SITES[row]}/{row // 4}" for row in ROWS])
TABLE = np.random.default_rng(0).normal(size=(COUNT, 3)).astype(np.float32)


def adapted(
    table: np.ndarray,
    adaptation: Adaptation = Adaptation.WHOLE_SITE,
    sites=SITES,
    site="far",
) -> AdaptedFeatures:
    standardisation = standardise_sites(
        sites, site, groups=GROUPS, adaptation=adaptation, seed=0
    )
    return AdaptedFeatures(FixedFeatures("table", table), standardisation)


@pytest.mark.parametrize("adaptation", Adaptation)
def test_another_gain_and_offset_of_a_machine_change_nothing(adaptation):
    changed = TABLE.copy()
    changed[SITES == "far"] = 5 * changed[SITES == "far"] - 2
    np.testing.assert_allclose(
        adapted(changed, adaptation).final_table(),
        adapted(TABLE, adaptation).final_table(),
        atol=1e-4,
    )


def test_each_site_has_mean_0_and_deviation_1():
    table = adapted(TABLE).fold_table(0)
    for site in ("far", "near"):
        np.testing.assert_allclose(table[site == SITES].mean(axis=0), 0, atol=1e-5)
        np.testing.assert_allclose(table[site == SITES].std(axis=0), 1, atol=1e-5)


def test_the_other_half_s_statistics_come_from_other_patients():
    standardisation = standardise_sites(
        SITES, "far", groups=GROUPS, adaptation=Adaptation.OTHER_HALF, seed=0
    )
    halves = standardisation.parts[:2]
    for rows, reference in halves:
        assert not set(GROUPS[rows]) & set(GROUPS[reference])
        assert set(SITES[[*rows, *reference]]) == {"far"}
    judged = np.concatenate([rows for rows, _ in halves])
    np.testing.assert_array_equal(np.sort(judged), np.flatnonzero(SITES == "far"))


def test_a_case_has_no_part_in_the_statistics_of_the_other_half():
    outlier = TABLE.copy()
    outlier[0] += 100
    table = adapted(TABLE, Adaptation.OTHER_HALF).final_table()
    changed = adapted(outlier, Adaptation.OTHER_HALF).final_table()
    same_half = np.flatnonzero((table == changed).all(axis=1) & (SITES == "far"))
    assert 40 < len(same_half) < 80
    np.testing.assert_array_equal(table[SITES == "near"], changed[SITES == "near"])


def test_statistics_of_few_images_are_refused():
    few = np.where(ROWS < 98, "far", "near")
    adapted(TABLE, Adaptation.WHOLE_SITE, sites=few)
    with pytest.raises(TooFewSiteImages) as caught:
        adapted(TABLE, Adaptation.OTHER_HALF, sites=few)
    assert caught.value.facts["needed"] == 50


def test_small_training_sites_are_standardised_together():
    sites = SITES.astype("U5")
    sites[np.flatnonzero(sites == "near")[:10]] = "small"
    sites[np.flatnonzero(sites == "near")[:20]] = "tiny"
    small = np.isin(sites, ["small", "tiny"])
    table = adapted(TABLE, sites=sites).final_table()
    np.testing.assert_allclose(table[small].mean(axis=0), 0, atol=1e-5)
    assert np.abs(table[sites == "small"].mean(axis=0)).max() > 0.05


def test_a_constant_feature_becomes_0():
    statistics = FeatureStatistics.of(np.full((60, 2), 7, np.float32))
    np.testing.assert_array_equal(statistics.standardise(np.full((2, 2), 7.0)), 0)


def test_features_of_different_adaptations_are_stored_apart():
    digests = {adapted(TABLE, adaptation).digest for adaptation in Adaptation}
    assert len({"table", *digests}) == 3
