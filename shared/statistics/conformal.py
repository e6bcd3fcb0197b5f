"""Sets of diagnoses that hold the true one with a stated chance, whatever the classifier and its calibration.

Split conformal prediction, one limit for each class, so that the promise holds among malignant and among benign
nodules and not only on average. It supposes new cases exchangeable with the calibration cases of their class.
Source: Vovk, Gammerman & Shafer, Algorithmic Learning in a Random World (2005), label-conditional; Sadinle, Lei &
Wasserman, J Am Stat Assoc 114:223 (2019).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from shared.statistics.cases import Flags, Floats, as_cases
from shared.statistics.errors import ProbabilityInvalid


@dataclass(frozen=True)
class ConformalSets:
    """A class is in the set where its probability is at least the class's floor; 0 admits it always."""

    benign_floor: float
    malignant_floor: float
    coverage: float

    def sets(self, probabilities: ArrayLike) -> Flags:
        """Whether benign (column 0) and malignant (column 1) are in each case's set.

        Both: the case cannot be told at this coverage. Neither: it is unlike the calibration cases of both classes.

        Parameters
        ----------
        probabilities : (N,) fractions, of malignancy

        Returns
        -------
        (N, 2) bool
        """
        chances = np.asarray(probabilities, dtype=np.float64)
        return np.stack([1 - chances >= self.benign_floor, chances >= self.malignant_floor], axis=-1)


def fit_conformal(probabilities: ArrayLike, labels: ArrayLike, coverage: float = 0.9) -> ConformalSets:
    """Floors from cases that the classifier was not fitted on.

    A class with fewer than coverage / (1 - coverage) cases promises nothing less than always, so it is in every set.

    Parameters
    ----------
    probabilities : (N,) fractions, of malignancy; any score from 0 to 1 that rises with risk keeps the promise
    labels : (N,) bool or 0/1, 1 = malignant; both classes
    coverage : share of new cases of either class whose set holds their class, inside (0, 1)

    Raises
    ------
    ProbabilityInvalid, ScoresInvalid, SingleClass
    """
    if not 0 < coverage < 1:
        raise ProbabilityInvalid(what="A coverage", where="between 0 and 1, both excluded")
    chances, malignant = as_cases(probabilities, labels)
    if chances.min() < 0 or chances.max() > 1:
        raise ProbabilityInvalid(what="A probability", where="between 0 and 1")
    return ConformalSets(
        benign_floor=_floor(1 - chances[~malignant], coverage),
        malignant_floor=_floor(chances[malignant], coverage),
        coverage=coverage,
    )


def _floor(of_true_class: Floats, coverage: float) -> float:
    """The highest floor that enough of the n cases reach: ceil((n + 1) coverage) of them."""
    needed = math.ceil((of_true_class.size + 1) * coverage - 1e-9)
    return 0.0 if needed > of_true_class.size else float(np.sort(of_true_class)[::-1][needed - 1])
