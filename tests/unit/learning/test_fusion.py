import numpy as np

from shared.learning.fusion import fuse
from shared.recipes import FusionRule

PROBABILITIES = np.array([[0.2, 0.9], [0.4, 0.8], [0.3, 0.1]])


def test_the_mean_of_the_readers():
    np.testing.assert_allclose(fuse(PROBABILITIES, FusionRule.MEAN, 0.3), [0.3, 0.6])


def test_the_vote_counts_readers_above_the_prevalence():
    np.testing.assert_allclose(fuse(PROBABILITIES, FusionRule.VOTE, 0.3), [1 / 3, 2 / 3])
