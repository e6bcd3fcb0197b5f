import tracemalloc

import numpy as np
import pytest
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.preprocessing import StandardScaler

from shared.learning.classifiers.kernels import GramMatrices

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def parts() -> list[np.ndarray]:
    return [
        (scale * RNG.normal(1, 1, size=(50, width))).astype(np.float32)
        for width, scale in ((30, 1), (7, 50))
    ]


@pytest.fixture
def shelf(parts, tmp_path) -> GramMatrices:
    shelf = GramMatrices(tmp_path)
    for place, part in enumerate(parts):
        shelf.add(place, part[:40], part[40:])
    return shelf


@pytest.fixture(scope="module")
def together(parts) -> np.ndarray:
    table = np.concatenate(parts, axis=1)
    return StandardScaler().fit(table[:40]).transform(table)


def test_a_linear_kernel_of_a_concatenation_is_the_sum_of_the_kernels(shelf, together):
    np.testing.assert_allclose(
        shelf.fitting((0, 1), None),
        together[:40] @ together[:40].T,
        rtol=1e-5,
        atol=1e-4,
    )
    np.testing.assert_allclose(
        shelf.judging((0, 1), None),
        together[40:] @ together[:40].T,
        rtol=1e-5,
        atol=1e-4,
    )


@pytest.mark.parametrize("gamma", [0.1, 1.0, 8.0])
def test_an_rbf_kernel_of_a_concatenation_is_the_product_of_the_kernels(
    shelf, parts, together, gamma
):
    width = together.shape[1]
    whole = shelf.fitting((0, 1), gamma)
    np.testing.assert_allclose(
        whole, rbf_kernel(together[:40], gamma=gamma / width), atol=1e-5
    )
    alone = [
        shelf.fitting((place,), gamma * part.shape[1] / width)
        for place, part in enumerate(parts)
    ]
    np.testing.assert_allclose(whole, alone[0] * alone[1], atol=1e-6)


def test_a_kernel_is_made_in_blocks_so_that_memory_holds_one_matrix(
    tmp_path, monkeypatch
):
    monkeypatch.setattr("shared.learning.classifiers.kernels.BLOCK_BYTES", 2**18)
    shelf = GramMatrices(tmp_path)
    count = 1500
    for place in range(6):
        shelf.add(
            place,
            RNG.normal(size=(count, 16)).astype(np.float32),
            np.zeros((2, 16), np.float32),
        )
    tracemalloc.start()
    kernel = shelf.training_kernel(range(6), 1.0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kernel.nbytes <= peak < kernel.nbytes + 16 * 2**18
