"""Measures an image's novelty: its distance from the training images."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.extmath import randomized_svd

from shared.learning.classifiers.classifiers import Scores, Table

MAX_COMPONENTS = 64
ROWS_PER_COMPONENT = 4
MAX_EXACT_SIZE = 1024
"""Largest smaller side of a table whose principal directions are exact.

For larger tables a random projection finds them, because an exact decomposition would take minutes.
"""
EMBEDDING_COMPONENTS = 8
"""Number of components that monitoring watches for drift."""
Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Novelty:
    """Mahalanobis distance in the principal subspace plus the distance from the subspace.

    Each of the two distances is 1 on average in training. The model is a Gaussian with few
    components and an isotropic remainder (probabilistic PCA, Tipping & Bishop 1999). Hundreds of
    images are not enough to estimate the full covariance of thousands of features, but they are
    enough for this model.

    Attributes
    ----------
    mean, spread : (D,) mean and standard deviation of each feature
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
        """Fit on the features (N, D) of the training images."""
        mean = features.mean(0)
        deviation = features.std(0)
        spread = np.where(deviation > 0, deviation, 1).astype(np.float32)
        table = (features - mean) / spread
        row_count, width = table.shape
        count = min(MAX_COMPONENTS, row_count // ROWS_PER_COMPONENT, width // 2)
        singular_values, components = _strongest_directions(table, max(1, count))
        variances = singular_values**2 / row_count
        floor = max(float(variances[0]) * 1e-6, 1e-12)
        total_squares = np.einsum("ij,ij->", table, table, dtype=np.float64)
        total_variance = float(total_squares) / row_count
        explained_variance = float(variances.sum(dtype=np.float64))
        return cls(
            mean=mean,
            spread=spread,
            components=components,
            variances=np.maximum(variances, floor),
            residual=max(total_variance - explained_variance, floor),
        )

    def score(self, features: Table) -> Scores:
        """Return the novelty (N,) of features (N, D); higher means farther from the training
        images.
        """
        scores, _ = self.score_and_embed(features)
        return scores

    def score_and_embed(self, features: Table) -> tuple[Scores, Array]:
        """Return the novelty and embedding of features (N, D).

        Returns
        -------
        novelty : (N,)
        embedding : (N, min(K, EMBEDDING_COMPONENTS)) coordinates along the strongest components,
            in standard deviations of the training images, whose mean is the origin
        """
        table = (features - self.mean) / self.spread
        coordinates = table @ self.components.T
        inside = (coordinates**2 / self.variances).mean(1)
        outside_squares = (table**2).sum(1) - (coordinates**2).sum(1)
        outside = np.maximum(outside_squares, 0) / self.residual
        scores: Scores = (inside + outside).astype(np.float64) / 2
        strongest = coordinates[:, :EMBEDDING_COMPONENTS]
        deviations = np.sqrt(self.variances[:EMBEDDING_COMPONENTS])
        embedding = (strongest / deviations).astype(np.float32, copy=False)
        return scores, embedding


def _strongest_directions(table: Table, count: int) -> tuple[Array, Array]:
    """Return the `count` largest singular values, and their right singular vectors (count, D)."""
    if min(table.shape) <= MAX_EXACT_SIZE:
        _, values, directions = np.linalg.svd(table, full_matrices=False)
        return values[:count], directions[:count]
    _, values, directions = randomized_svd(table, count, n_iter=4, random_state=0)
    return values, directions
