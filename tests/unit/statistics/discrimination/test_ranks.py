import numpy as np
import pytest

from shared.statistics.discrimination.ranks import midranks


@pytest.mark.parametrize(
    ("values", "ranks"),
    [
        ([3.0, 1.0, 2.0], [3, 1, 2]),
        ([0.5, 0.1, 0.5, 0.5], [3, 1, 3, 3]),
        ([[0.5, 0.1], [1.0, 1.0]], [[2, 1], [1.5, 1.5]]),
    ],
)
def test_equal_values_share_the_mean_of_their_ranks(values, ranks):
    assert midranks(np.array(values)).tolist() == ranks
