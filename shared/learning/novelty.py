"""How far an image is from everything the model was trained on."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from shared.learning.classifiers import Scores, Table

MAX_COMPONENTS = 64
ROWS_PER_COMPONENT = 4
Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Novelty:
    """Mahalanobis distance in the principal subspace plus the distance from it, each 1 on average in training.

    A Gaussian with few components and an isotropic rest (probabilistic PCA, Tipping & Bishop 1999): the covariance of
    thousands of features cannot be had from hundreds of images, this shrunken one can.

    Attributes
    ----------
    mean, spread : (D,) of each feature
    components : (K, D) orthonormal
    variances : (K,) along the components
    residual : mean squared distance from the subspace
    """

    mean: Array
    spread: Array
    components: Array
    variances: Array
    residual: float

    @classmethod
    def fit(cls, features: Table) -> Self:
        """From training features (N, D)."""
        mean, spread = features.mean(0), features.std(0)
        spread = np.where(spread > 0, spread, 1).astype(np.float32)
        table = (features - mean) / spread
        kept = max(1, min(MAX_COMPONENTS, len(table) // ROWS_PER_COMPONENT, table.shape[1] // 2))
        _, values, directions = np.linalg.svd(table, full_matrices=False)
        variances = values**2 / len(table)
        floor = max(float(variances[0]) * 1e-6, 1e-12)
        residual = max(float(variances[kept:].sum()), floor)
        return cls(mean, spread, directions[:kept], np.maximum(variances[:kept], floor), residual)

    def score(self, features: Table) -> Scores:
        """(N, D) -> (N,), the larger the stranger."""
        table = (features - self.mean) / self.spread
        along = table @ self.components.T
        inside = (along**2 / self.variances).mean(1)
        outside = np.maximum((table**2).sum(1) - (along**2).sum(1), 0) / self.residual
        return (inside + outside).astype(np.float64) / 2
