"""The rows of a fit that reads each of its images in several ways."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from shared.learning.features.extractors import Array
from shared.learning.features.fold_features import WeightedTable

Weights = NDArray[np.float64]


class StackedRows:
    """The rows of K views of n images, view after view.

    Parameters
    ----------
    view_weights : (K,), the weight of each row of a view
    images : n
    """

    def __init__(self, view_weights: Sequence[float], images: int) -> None:
        self._view_weights = np.asarray(view_weights, np.float64)
        self._images = images

    @property
    def weights(self) -> Weights | None:
        """The weight of each row (K n,); None if all are equal."""
        return self.weights_of(np.arange(self._images))

    def weights_of(self, images: NDArray[np.int64]) -> Weights | None:
        """Return the weights of the rows of these images (K m,); None if all are equal."""
        if len(set(self._view_weights)) == 1:
            return None
        return np.repeat(self._view_weights, len(images))

    def rows(self, images: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the rows (K m,) of these images (m,)."""
        starts = np.arange(len(self._view_weights)) * self._images
        rows: NDArray[np.int64] = (starts[:, None] + images).ravel()
        return rows

    def repeat(self, values: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return a value for each row (K m,) from one for each image (m,)."""
        return np.tile(values, len(self._view_weights))

    def merge(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the weighted mean score (m,) of each image from those of its rows (K m,)."""
        by_view = scores.reshape(len(self._view_weights), -1)
        return np.average(by_view, axis=0, weights=self._view_weights)


def stack(tables: Sequence[WeightedTable], images: NDArray[np.int64]) -> Array:
    """Return the rows (K m, D) of these images, view after view."""
    if len(tables) == 1:
        return tables[0].values[images]
    return np.concatenate([table.values[images] for table in tables])
