import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.learning.novelty import Novelty


def table(rows: int, width: int = 30, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (
        rng.normal(size=(rows, 3)) @ rng.normal(size=(3, width))
        + 0.1 * rng.normal(size=(rows, width))
    ).astype("f4")


def test_an_image_outside_the_training_images_subspace_is_novel():
    training = table(200)
    novelty = Novelty.fit(training)
    outlier = np.random.default_rng(1).normal(size=(5, 30)).astype("f4") * training.std(
        0
    ) + training.mean(0)
    assert novelty.score(outlier).min() > 2 * np.quantile(novelty.score(training), 0.99)


def test_training_images_have_a_mean_of_one():
    assert abs(Novelty.fit(table(200)).score(table(200)).mean() - 1) < 0.05


@settings(max_examples=20, deadline=None)
@given(scale=st.floats(0.1, 100), shift=st.floats(-100, 100))
def test_scale_and_shift_of_the_features_do_not_matter(scale, shift):
    training = table(80)
    moved = (training * np.float32(scale) + np.float32(shift)).astype("f4")
    np.testing.assert_allclose(
        Novelty.fit(moved).score(moved),
        Novelty.fit(training).score(training),
        rtol=0.05,
    )


def test_constant_features_give_finite_scores():
    constant = np.ones((20, 6), np.float32)
    assert np.isfinite(Novelty.fit(constant).score(constant)).all()


def test_random_projection_agrees_with_the_exact_decomposition(monkeypatch):
    random = np.random.default_rng(3)
    strong = random.normal(size=(300, 8)) @ random.normal(size=(8, 120)) * 5
    features = (strong + random.normal(size=(300, 120))).astype(np.float32)
    exact = Novelty.fit(features)
    monkeypatch.setattr("shared.learning.novelty.MAX_EXACT_SIZE", 10)
    projected = Novelty.fit(features)
    np.testing.assert_allclose(projected.residual, exact.residual, rtol=0.02)
    order = np.argsort(exact.score(features))
    assert np.corrcoef(exact.score(features), projected.score(features))[0, 1] > 0.98
    assert set(order[-10:]) & set(np.argsort(projected.score(features))[-10:])


def test_training_images_lie_around_the_origin_with_a_spread_of_one():
    scores, embedding = Novelty.fit(table(200)).score_and_embed(table(200))
    assert embedding.shape == (200, 8)
    np.testing.assert_allclose(embedding.mean(0), 0, atol=1e-3)
    np.testing.assert_allclose(embedding.std(0), 1, rtol=1e-3)
    np.testing.assert_array_equal(scores, Novelty.fit(table(200)).score(table(200)))


def test_an_image_has_the_same_embedding_alone_and_in_a_batch():
    novelty = Novelty.fit(table(80))
    batch = novelty.score_and_embed(table(5, seed=7))
    for index in range(5):
        alone = novelty.score_and_embed(table(5, seed=7)[index : index + 1])
        np.testing.assert_allclose(alone[0][0], batch[0][index], rtol=1e-4)
        np.testing.assert_allclose(alone[1][0], batch[1][index], atol=1e-4)
