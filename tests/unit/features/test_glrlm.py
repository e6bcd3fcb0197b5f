from itertools import groupby

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.features.glrlm import FEATURES, glrlm_features, run_lengths

LEVELS = 3
images = st.tuples(st.integers(1, 7), st.integers(1, 7), st.integers(0, 2**32 - 1)).map(
    lambda case: (
        np.random.default_rng(case[2])
        .integers(0, LEVELS + 1, case[:2])
        .astype(np.uint16)
    )
)


def lines_of(image: np.ndarray) -> list[list[np.ndarray]]:
    """The image's rows, columns and both kinds of diagonals, read one by one."""
    reach = range(-image.shape[0] + 1, image.shape[1])
    falling, rising = (
        [oriented.diagonal(offset) for offset in reach]
        for oriented in (image, image[:, ::-1])
    )
    return [list(image), list(image.T), rising, falling]


def runs_one_by_one(lines: list[np.ndarray], longest: int) -> np.ndarray:
    counts = np.zeros((LEVELS, longest), int)
    for line in lines:
        for level, run in groupby(line.tolist()):
            if level:
                counts[level - 1, len(list(run)) - 1] += 1
    return counts


@settings(max_examples=60)
@given(images.filter(lambda image: image.any()))
def test_runs_are_those_counted_one_by_one(image):
    counts = run_lengths(image, LEVELS)
    expected = [runs_one_by_one(lines, counts.shape[-1]) for lines in lines_of(image)]
    assert (counts == expected).all()


def test_two_even_rows_by_hand():
    """Along the rows there are two runs of 3.

    Along the columns and the diagonals, where levels alternate, there are six runs of 1.
    """
    features = glrlm_features(np.array([[1, 1, 1], [2, 2, 2]], np.uint16))
    assert features["sre_avg"] == pytest.approx((1 / 9 + 3) / 4)
    assert features["lre_avg"] == pytest.approx((9 + 3) / 4)
    assert features["r_perc_avg"] == pytest.approx((2 / 6 + 3) / 4)
    assert features["r_perc_comb"] == pytest.approx(20 / 24)


def test_levels_keep_their_values_across_a_gap():
    """Along the rows two runs of 2, at levels 3 and 60000; in other directions four runs of 1."""
    features = glrlm_features(np.array([[3, 3], [60000, 60000]], np.uint16))
    assert features["hgre_avg"] == pytest.approx((9 + 60000**2) / 2)
    assert features["gl_var_comb"] == pytest.approx((59997 / 2) ** 2)
    assert features["lre_avg"] == pytest.approx((4 + 3) / 4)


def test_one_pixel_is_one_run():
    features = glrlm_features(np.array([[2]], np.uint16))
    assert (
        features["sre_comb"],
        features["lre_comb"],
        features["r_perc_comb"],
        features["rl_entr_comb"],
    ) == (
        1,
        1,
        1,
        0,
    )


def test_every_feature_names_its_ibsi_code():
    assert len(FEATURES) == 16
    assert all("IBSI" in feature.__doc__ for feature in FEATURES)
