import tracemalloc

import numpy as np
import pytest
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.preprocessing import StandardScaler

from shared.learning.classifiers.kernels import GramMatrices

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def feature_sets() -> list[np.ndarray]:
    return [
        (scale * RNG.normal(1, 1, size=(50, width))).astype(np.float32)
        for width, scale in ((30, 1), (7, 50))
    ]


@pytest.fixture
def grams(feature_sets, tmp_path) -> GramMatrices:
    grams = GramMatrices(tmp_path)
    for index, features in enumerate(feature_sets):
        grams.add(index, features[:40], features[40:])
    return grams


@pytest.fixture(scope="module")
def concatenation(feature_sets) -> np.ndarray:
    table = np.concatenate(feature_sets, axis=1)
    return StandardScaler().fit(table[:40]).transform(table)


def test_a_linear_kernel_of_a_concatenation_is_the_sum_of_the_kernels(
    grams, concatenation
):
    np.testing.assert_allclose(
        grams.training_kernel((0, 1), None),
        concatenation[:40] @ concatenation[:40].T,
        rtol=1e-5,
        atol=1e-4,
    )
    np.testing.assert_allclose(
        grams.test_kernel((0, 1), None),
        concatenation[40:] @ concatenation[:40].T,
        rtol=1e-5,
        atol=1e-4,
    )


@pytest.mark.parametrize("gamma", [0.1, 1.0, 8.0])
def test_an_rbf_kernel_of_a_concatenation_is_the_product_of_the_kernels(
    grams, feature_sets, concatenation, gamma
):
    width = concatenation.shape[1]
    kernel = grams.training_kernel((0, 1), gamma)
    np.testing.assert_allclose(
        kernel, rbf_kernel(concatenation[:40], gamma=gamma / width), atol=1e-5
    )
    single_kernels = [
        grams.training_kernel((index,), gamma * features.shape[1] / width)
        for index, features in enumerate(feature_sets)
    ]
    np.testing.assert_allclose(kernel, single_kernels[0] * single_kernels[1], atol=1e-6)


def test_a_kernel_is_computed_in_blocks_so_that_only_one_matrix_is_in_memory(
    tmp_path, monkeypatch
):
    monkeypatch.setattr("shared.learning.classifiers.kernels.BLOCK_BYTES", 2**18)
    grams = GramMatrices(tmp_path)
    count = 1500
    for index in range(6):
        grams.add(
            index,
            RNG.normal(size=(count, 16)).astype(np.float32),
            np.zeros((2, 16), np.float32),
        )
    tracemalloc.start()
    kernel = grams.training_kernel(range(6), 1.0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kernel.nbytes <= peak < kernel.nbytes + 16 * 2**18


@pytest.mark.parametrize("gamma", [None, 0.5])
def test_equal_sets_count_alike_however_wide_they_are(
    grams, feature_sets, concatenation, gamma
):
    widths = [features.shape[1] for features in feature_sets]
    width = sum(widths)
    scales = np.sqrt(np.repeat([width / (2 * part) for part in widths], widths))
    weighted = concatenation * scales
    kernel = grams.test_kernel((0, 1), gamma, equal_sets=True)
    expected = weighted[40:] @ weighted[:40].T
    if gamma is not None:
        expected = rbf_kernel(weighted[40:], weighted[:40], gamma=gamma / width)
    np.testing.assert_allclose(kernel, expected, rtol=1e-4, atol=1e-4)
    for part in ((0,), (1,)):
        np.testing.assert_allclose(
            grams.training_kernel(part, gamma, equal_sets=True),
            grams.training_kernel(part, gamma),
        )
