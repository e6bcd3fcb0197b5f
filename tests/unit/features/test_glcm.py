import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.features import glcm
from shared.features.glcm import FEATURES, Cooccurrence, cooccurrence, glcm_features

LEVELS = 4
images = st.tuples(st.integers(1, 7), st.integers(1, 7), st.integers(0, 2**32 - 1)).map(
    lambda case: (
        np.random.default_rng(case[2])
        .integers(0, LEVELS + 1, case[:2])
        .astype(np.uint16)
    )
)


def pairs_one_by_one(image: np.ndarray, dy: int, dx: int) -> np.ndarray:
    counts = np.zeros((LEVELS, LEVELS), int)
    for y, x in np.ndindex(image.shape):
        if (
            0 <= y + dy < image.shape[0]
            and 0 <= x + dx < image.shape[1]
            and image[y, x]
            and image[y + dy, x + dx]
        ):
            counts[image[y, x] - 1, image[y + dy, x + dx] - 1] += 1
            counts[image[y + dy, x + dx] - 1, image[y, x] - 1] += 1
    return counts


def as_matrices(pairs: Cooccurrence) -> np.ndarray:
    matrices = np.zeros((len(pairs.counts), pairs.levels, pairs.levels), int)
    matrices[:, pairs.first - 1, pairs.second - 1] = pairs.counts
    return matrices


@settings(max_examples=40)
@given(images.filter(lambda image: image.any()), st.integers(1, 9))
def test_pairs_are_those_counted_one_by_one(image, distance):
    steps = [(0, distance), (distance, distance), (distance, 0), (distance, -distance)]
    for matrix, (dy, dx) in zip(
        as_matrices(cooccurrence(image, LEVELS, distance)), steps, strict=True
    ):
        expected = pairs_one_by_one(image, dy, dx)
        if not expected.any():
            pixels_by_level = np.bincount(image.ravel(), minlength=LEVELS + 1)
            expected = np.diag(pixels_by_level[1:])
        assert (matrix == expected).all()


@settings(max_examples=25)
@given(images.filter(lambda image: image.any()), st.integers(1, 3))
def test_sparse_and_dense_counting_give_the_same(image, distance):
    dense = cooccurrence(image, LEVELS, distance)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(glcm, "MAX_DENSE_LEVELS", 1)
        assert (
            as_matrices(cooccurrence(image, LEVELS, distance)) == as_matrices(dense)
        ).all()


def test_the_number_of_levels_changes_only_the_normalised_features():
    image = np.random.default_rng(1).integers(1, 17, (30, 30)).astype(np.uint16)
    features_16 = glcm_features(image, 16, distance=2)
    features_65535 = glcm_features(image, 65535, distance=2)
    differing = {
        name
        for name in features_16
        if features_16[name] != pytest.approx(features_65535[name])
    }
    assert {name.rpartition("_")[0] for name in differing} == {
        "inv_diff_norm",
        "inv_diff_mom_norm",
    }


def test_a_checkerboard_by_hand():
    """Straight neighbours differ by 1, diagonal neighbours never.

    The contrast is 1, 0, 1, 0. There are 24 straight and 18 diagonal pairs.
    """
    features = glcm_features(
        np.array([[1, 2] * 2, [2, 1] * 2] * 2, np.uint16), levels=2
    )
    assert features["contrast_avg"] == pytest.approx(0.5)
    assert features["contrast_comb"] == pytest.approx(24 / 42)
    assert features["corr_avg"] == pytest.approx(0.0, abs=1e-12)
    assert features["joint_avg_avg"] == pytest.approx(1.5)


def test_one_grey_level_takes_the_limit_of_perfect_agreement():
    features = glcm_features(np.ones((5, 5), np.uint16), levels=16)
    assert (features["corr_avg"], features["energy_avg"], features["contrast_avg"]) == (
        1,
        1,
        0,
    )
    assert (
        features["info_corr1_avg"],
        features["info_corr2_avg"],
        features["joint_entr_avg"],
    ) == (0, 0, 0)


def test_a_single_pixel_is_paired_with_itself():
    assert glcm_features(np.array([[3]], np.uint16), levels=4)["joint_avg_comb"] == 3


def test_swapping_rows_and_columns_changes_nothing():
    image = np.random.default_rng(3).integers(1, 5, (9, 9)).astype(np.uint16)
    assert glcm_features(image, 4) == pytest.approx(glcm_features(image.T.copy(), 4))


@pytest.mark.parametrize("levels", [2, 255, 256, 257, 65535])
def test_any_number_of_levels_is_finite(levels):
    image = np.random.default_rng(0).integers(1, levels + 1, (20, 20)).astype(np.uint16)
    assert np.isfinite(list(glcm_features(image, levels).values())).all()


def test_every_feature_names_its_ibsi_code():
    assert len(FEATURES) == 25
    assert all("IBSI" in feature.__doc__ for feature in FEATURES)
