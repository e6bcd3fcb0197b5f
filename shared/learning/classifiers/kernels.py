"""Kernel matrices of several feature sets, computed from one Gram matrix of each set.

The inner product of a concatenation is the sum of its parts' inner products, and the same holds for
a squared distance. A linear kernel is therefore a sum, and an RBF kernel with one gamma a product.
All 57 concatenations of six feature sets need only elementwise operations on six stored matrices.
Nothing is approximated.

Memory: the stored matrices are float32 files (735 MB for each set at 13,560 images), which are read
in blocks of rows. One float64 kernel matrix is in memory at a time (1.0 GB for the 11,300 training
rows of a fold), with the part of it that an inner fold uses.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler

from shared.learning.features.extractors import Array

BLOCK_BYTES = 64 * 2**20
Matrix = NDArray[np.float64]
Rows = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Gram:
    """Inner products of one feature set's standardised rows (R, D) with its n training rows.

    Attributes
    ----------
    products : (R, n)
    row_squares : (R,) inner products of the rows with themselves
    training_squares : (n,) inner products of the training rows with themselves
    width : D
    """

    products: NDArray[np.float32]
    row_squares: Matrix
    training_squares: Matrix
    width: int


class GramMatrices:
    """Gram matrices of one fold: within its training rows, and between test and training rows."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._training: dict[int, Gram] = {}
        self._test: dict[int, Gram] = {}

    def __contains__(self, feature_set: int) -> bool:
        return feature_set in self._training

    def add(
        self,
        feature_set: int,
        training: Array,
        test: Array,
        weights: Matrix | None = None,
    ) -> None:
        """Store a feature set.

        Parameters
        ----------
        feature_set : index of the set
        training : (n, D) rows; their mean and scale standardise all rows
        test : (m, D) rows
        weights : (n,) of the training rows in mean and scale; by default they are equal
        """
        scaler = StandardScaler().fit(training, sample_weight=weights)
        training = _standardise(scaler, training)
        test = _standardise(scaler, test)
        training_squares = _squares(training)
        width = training.shape[1]
        self._training[feature_set] = Gram(
            products=self._store(f"within-{feature_set}", training, training),
            row_squares=training_squares,
            training_squares=training_squares,
            width=width,
        )
        self._test[feature_set] = Gram(
            products=self._store(f"across-{feature_set}", test, training),
            row_squares=_squares(test),
            training_squares=training_squares,
            width=width,
        )

    def training_kernel(
        self, feature_sets: Sequence[int], gamma: float | None, equal_sets: bool = False
    ) -> Matrix:
        """Return the kernel (n, n) within the training rows.

        Parameters
        ----------
        gamma : in multiples of 1 / width; None for the linear kernel
        equal_sets : whether the sets count alike; else every column does
        """
        grams = [self._training[index] for index in feature_sets]
        return _kernel(grams, gamma, equal_sets)

    def test_kernel(
        self, feature_sets: Sequence[int], gamma: float | None, equal_sets: bool = False
    ) -> Matrix:
        """Return the kernel (m, n) between the test rows and the training rows."""
        grams = [self._test[index] for index in feature_sets]
        return _kernel(grams, gamma, equal_sets)

    def _store(self, name: str, rows: Array, columns: Array) -> NDArray[np.float32]:
        """Return the inner products (len(rows), len(columns)), in a file."""
        shape = (len(rows), len(columns))
        if 0 in shape:
            return np.zeros(shape, np.float32)
        path = self._folder / f"{name}.f32"
        products = np.memmap(path, np.float32, "w+", shape=shape)
        transposed = columns.astype(np.float64).T
        row_bytes = 8 * max(rows.shape[1], len(columns))
        for block in _blocks(len(rows), row_bytes):
            products[block] = rows[block].astype(np.float64) @ transposed
        return products


def set_weights(widths: Sequence[int], equal_sets: bool) -> Matrix:
    """Return the weight (K,) of the squared columns of each feature set.

    With `equal_sets` each set has the same share of the squared distance, however many columns it
    has, as in multiple factor analysis (Escofier and Pages 1994); the sum over all columns stays.
    """
    if not equal_sets:
        return np.ones(len(widths))
    return sum(widths) / (len(widths) * np.asarray(widths, np.float64))


def _kernel(grams: Sequence[Gram], gamma: float | None, equal_sets: bool) -> Matrix:
    """Sum of the sets' inner products, or RBF of the sum of their squared distances."""
    count, columns = grams[0].products.shape
    kernel = np.empty((count, columns))
    widths = [gram.width for gram in grams]
    width = sum(widths)
    weights = set_weights(widths, equal_sets)
    for block in _blocks(count, 8 * columns):
        values = sum(
            weight * gram.products[block].astype(np.float64)
            for weight, gram in zip(weights, grams, strict=True)
        )
        if gamma is not None:
            squares = sum(
                weight * (gram.row_squares[block, None] + gram.training_squares)
                for weight, gram in zip(weights, grams, strict=True)
            )
            distances = np.maximum(squares - 2 * values, 0)
            values = np.exp(distances * (-gamma / width))
        kernel[block] = values
    return kernel


def _standardise(scaler: StandardScaler, rows: Array) -> Array:
    if not len(rows):
        return rows
    standardised: Array = scaler.transform(rows).astype(np.float32)
    return standardised


def _squares(rows: Array) -> Matrix:
    """Return the inner products of rows with themselves.

    They are rounded to float32 like the stored products.
    """
    squares: Matrix = np.einsum("ij,ij->i", rows, rows, dtype=np.float64)
    return squares.astype(np.float32).astype(np.float64)


def _blocks(count: int, row_bytes: int) -> list[slice]:
    step = max(BLOCK_BYTES // row_bytes, 1)
    return [slice(start, min(start + step, count)) for start in range(0, count, step)]
