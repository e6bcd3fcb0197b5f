"""Learning and bundles depend on the engine's port alone, so another engine can run every pass."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from shared.bundles import load, save
from shared.bundles.explanations.explanation import explain, occlusion_map
from shared.engines import EagerEngine, Engine
from shared.imaging.image import Nodule
from shared.learning import FittedModel, build_extractor, fit, phantom_samples
from shared.learning.features.extractors import NetworkExtractor
from shared.networks import TapNetwork, WeightsFinder, new_head
from shared.recipes import HandcraftedFeatures, NetworkFeatures, read_recipe
from tests.support.builders import SMALL_RECIPE, small_model
from tests.support.double_engine import DoubleEngine

NO_WEIGHTS = WeightsFinder(None, Path("nowhere"), download=False)


@pytest.fixture(scope="module")
def nodules() -> list[Nodule]:
    return [sample.load() for sample in phantom_samples(6, 700, 0.1)]


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("bundles") / "small"
    save(small_model(), folder, synthetic=True)
    return folder


def scores(model, nodules) -> list[float]:
    return [prediction.score for prediction in model.predict(nodules)]


def test_another_engine_fits_a_model(nodules):
    engine = DoubleEngine()
    model = fit(
        phantom_samples(24, 0, 0.1),
        read_recipe(SMALL_RECIPE),
        NO_WEIGHTS,
        engine=engine,
    )
    assert sum(engine.passes) >= 24
    np.testing.assert_allclose(
        scores(model, nodules), scores(small_model(), nodules), atol=0.02
    )


def test_another_engine_verifies_predicts_and_explains_a_bundle(saved, nodules):
    engine = DoubleEngine()
    with_double = load(saved, engine=engine)
    with_default = load(saved)
    assert sum(engine.passes) == len(with_default.manifest.golden.scores)
    np.testing.assert_allclose(
        scores(with_double, nodules), scores(with_default, nodules), atol=1e-3
    )
    count = len(engine.passes)
    drops = occlusion_map(with_double, nodules[0], grid=2)
    np.testing.assert_allclose(
        drops, occlusion_map(with_default, nodules[0], grid=2), atol=1e-3
    )
    assert len(engine.passes) > count


def test_a_bundle_fitted_by_another_engine_is_saved_with_the_network_s_own_weights(
    saved, tmp_path
):
    model = load(saved, engine=DoubleEngine()).model
    save(
        replace(model, evidence=small_model().evidence),
        tmp_path / "again",
        synthetic=True,
    )
    weights = "networks/0-sera_tiny.safetensors"
    assert (tmp_path / "again" / weights).read_bytes() == (saved / weights).read_bytes()


def tuned(model: FittedModel, engine: Engine) -> NetworkExtractor:
    """An extractor of a network with a head."""
    network = model.extractors[0].network
    head = {
        f"head.{name}": tensor
        for name, tensor in new_head(network.card).state_dict().items()
    }
    tensors = network.state_dict() | head
    copied = {name: tensor.clone() for name, tensor in tensors.items()}
    features = NetworkFeatures("sera_tiny", ("avg",))
    return NetworkExtractor(
        features, TapNetwork.from_tensors("sera_tiny", ["avg"], copied), engine
    )


def test_a_tuned_network_is_explained_with_another_engine_except_for_its_gradients(
    saved, nodules
):
    engine = DoubleEngine()
    bundle = load(saved, engine=engine)
    model = bundle.model
    features = (*model.recipe.features, HandcraftedFeatures(("shape",)))
    extended = replace(
        model,
        recipe=replace(model.recipe, features=features),
        extractors=(*model.extractors, tuned(model, engine)),
    )
    _, network_map = explain(replace(bundle, model=extended), nodules[0]).maps
    assert network_map.kind == "grad-cam"
    assert np.isfinite(network_map.values).all()


@pytest.mark.parametrize("flips", [False, True])
def test_features_are_equal_and_have_another_cache_key_for_each_precision(
    flips, nodules
):
    recipe = read_recipe(SMALL_RECIPE)
    features = replace(recipe.features[0], flips=flips)
    single, double = (
        build_extractor(features, recipe, NO_WEIGHTS, seed=0, engine=engine)
        for engine in (EagerEngine(), DoubleEngine())
    )
    prepared = [single.prepare(nodule) for nodule in nodules]
    np.testing.assert_allclose(
        single.compute(prepared), double.compute(prepared), rtol=1e-3, atol=1e-5
    )
    assert single.digest != double.digest
