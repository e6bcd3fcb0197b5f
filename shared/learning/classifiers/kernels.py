"""Kernel matrices of feature sets side by side, from one Gram matrix of each.

An inner product of a concatenation is the sum of its parts' inner products, and so is a squared distance: a linear
kernel is a sum, an RBF kernel with one gamma a product. So of six feature sets all 57 concatenations cost elementwise
work on six stored matrices, and nothing is approximated.

Memory: the stored matrices lie on disk as float32 (735 MB for each set at 13,560 images) and are read in blocks of
rows; in memory there is one kernel matrix of float64 at a time (1.0 GB for the 11,300 training rows of a fold) and the
part of it that an inner fold takes.
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
    """Inner products of one feature set's standardised rows (R, D): `products` (R, n) with the n it was fitted on.

    `squares` (R,) are the rows' inner products with themselves, `fitted` (n,) those of the fitted ones.
    """

    products: NDArray[np.float32]
    squares: Matrix
    fitted: Matrix
    width: int


class GramMatrices:
    """Gram matrices of one fold: of the rows it fits on, and between those it judges and those it fits on."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._within: dict[int, Gram] = {}
        self._across: dict[int, Gram] = {}

    def __contains__(self, place: int) -> bool:
        return place in self._within

    def add(self, place: int, fitted: Array, judged: Array) -> None:
        """Store a feature set: rows to fit on (n, D), by which both are standardised, and rows to judge (m, D)."""
        scaler = StandardScaler().fit(fitted)
        known, new = (_standardised(scaler, table) for table in (fitted, judged))
        of_known = _squares(known)
        of_new = _squares(new)
        within = self._stored(f"within-{place}", known, known)
        across = self._stored(f"across-{place}", new, known)
        self._within[place] = Gram(within, of_known, of_known, known.shape[1])
        self._across[place] = Gram(across, of_new, of_known, known.shape[1])

    def training_kernel(self, sets: Sequence[int], gamma: float | None) -> Matrix:
        """Kernel among the rows fitted on, (n, n); `gamma` in multiples of 1 / width, None for the linear kernel."""
        return _kernel([self._within[place] for place in sets], gamma)

    def test_kernel(self, sets: Sequence[int], gamma: float | None) -> Matrix:
        """Kernel between the rows judged and those fitted on, (m, n)."""
        return _kernel([self._across[place] for place in sets], gamma)

    def _stored(self, name: str, rows: Array, columns: Array) -> NDArray[np.float32]:
        shape = len(rows), len(columns)
        if 0 in shape:
            return np.zeros(shape, np.float32)
        kept = np.memmap(self._folder / f"{name}.f32", np.float32, "w+", shape=shape)
        right = columns.astype(np.float64).T
        for block in _blocks(len(rows), 8 * max(rows.shape[1], len(columns))):
            kept[block] = rows[block].astype(np.float64) @ right
        return kept


def _kernel(grams: Sequence[Gram], gamma: float | None) -> Matrix:
    """Sum of the sets' inner products, or RBF of the sum of their squared distances."""
    count, columns = grams[0].products.shape
    kernel = np.empty((count, columns))
    width = sum(gram.width for gram in grams)
    for block in _blocks(count, 8 * columns):
        part = sum(gram.products[block].astype(np.float64) for gram in grams)
        if gamma is not None:
            squares = sum(gram.squares[block, None] + gram.fitted for gram in grams)
            part = np.exp(np.maximum(squares - 2 * part, 0) * (-gamma / width))
        kernel[block] = part
    return kernel


def _standardised(scaler: StandardScaler, rows: Array) -> Array:
    standardised: Array = (
        scaler.transform(rows).astype(np.float32) if len(rows) else rows
    )
    return standardised


def _squares(rows: Array) -> Matrix:
    """Inner products of rows with themselves, as the stored float32 products have them."""
    squares: Matrix = np.einsum("ij,ij->i", rows, rows, dtype=np.float64)
    return squares.astype(np.float32).astype(np.float64)


def _blocks(count: int, row_bytes: int) -> list[slice]:
    step = max(BLOCK_BYTES // row_bytes, 1)
    return [slice(start, min(start + step, count)) for start in range(0, count, step)]
