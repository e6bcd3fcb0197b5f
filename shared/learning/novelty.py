"""How far an image is from everything the model was trained on."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.extmath import randomized_svd

from shared.learning.classifiers.classifiers import Scores, Table

MAX_COMPONENTS = 64
ROWS_PER_COMPONENT = 4
MAX_EXACT_SIZE = 1024
"""Images from which on the principal directions are found by random projection; an exact search takes minutes there."""
EMBEDDING_COMPONENTS = 8
"""Components that tell, in monitoring, whether images have moved."""
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
        mean = features.mean(0)
        spread = features.std(0)
        spread = np.where(spread > 0, spread, 1).astype(np.float32)
        table = (features - mean) / spread
        kept = max(
            1,
            min(MAX_COMPONENTS, len(table) // ROWS_PER_COMPONENT, table.shape[1] // 2),
        )
        values, directions = _strongest(table, kept)
        variances = values**2 / len(table)
        floor = max(float(variances[0]) * 1e-6, 1e-12)
        total = float(np.einsum("ij,ij->", table, table, dtype=np.float64)) / len(table)
        residual = max(total - float(variances.sum(dtype=np.float64)), floor)
        return cls(mean, spread, directions, np.maximum(variances, floor), residual)

    def score(self, features: Table) -> Scores:
        """(N, D) -> (N,), the larger the stranger."""
        return self.score_and_embed(features)[0]

    def score_and_embed(self, features: Table) -> tuple[Scores, Array]:
        """(N, D) -> scores (N,), and where each image lies along the strongest components (N, min(K, EMBEDDED)).

        The latter in standard deviations of the training images, whose mean is the origin.
        """
        table = (features - self.mean) / self.spread
        along = table @ self.components.T
        inside = (along**2 / self.variances).mean(1)
        outside = np.maximum((table**2).sum(1) - (along**2).sum(1), 0) / self.residual
        strongest = along[:, :EMBEDDING_COMPONENTS] / np.sqrt(self.variances[:EMBEDDING_COMPONENTS])
        scores: Scores = (inside + outside).astype(np.float64) / 2
        return scores, strongest.astype(np.float32, copy=False)


def _strongest(table: Table, count: int) -> tuple[Array, Array]:
    """The `count` greatest singular values, and their right vectors (count, D)."""
    if min(table.shape) <= MAX_EXACT_SIZE:
        _, values, directions = np.linalg.svd(table, full_matrices=False)
        return values[:count], directions[:count]
    _, values, directions = randomized_svd(table, count, n_iter=4, random_state=0)
    return values, directions
