import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy.stats import rankdata

from shared.statistics.ranks import midranks


@given(
    arrays(
        np.float64,
        array_shapes(min_dims=1, max_dims=2, min_side=1, max_side=40),
        elements=st.sampled_from([-1e300, -1.0, -0.0, 0.0, 1 / 3, 0.5, 2.0]),
    )
)
def test_ranks_are_those_of_scipy_row_by_row(values):
    assert np.array_equal(midranks(values), rankdata(values, axis=-1))


@pytest.mark.parametrize(
    ("values", "ranks"), [([3.0, 1.0, 2.0], [3, 1, 2]), ([0.5, 0.1, 0.5, 0.5], [3, 1, 3, 3])]
)
def test_equal_values_share_the_mean_of_their_ranks(values, ranks):
    assert midranks(np.array(values)).tolist() == ranks
