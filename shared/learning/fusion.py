"""From several readers' probabilities to one score."""

import numpy as np

from shared.learning.classifiers import Scores
from shared.recipes import FusionRule


def fuse(probabilities: Scores, rule: FusionRule, prevalence: float) -> Scores:
    """One score for each image.

    Parameters
    ----------
    probabilities : (R, N), each reader's calibrated probability of malignancy
    rule : mean, or the share of readers who find malignancy likelier than its prevalence
    prevalence : malignant fraction of the training images

    Returns
    -------
    (N,) float64 in 0 to 1
    """
    if rule is FusionRule.VOTE:
        return np.mean(probabilities > prevalence, axis=0)
    return np.mean(probabilities, axis=0)
