"""What each engine must do, and that learning and bundles depend on the port alone.

Every engine in `ENGINES` is tested, and one in double precision that only the tests have.
"""

from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from shared.bundles import load, save
from shared.bundles.explanations.explanation import explain, occlusion_map
from shared.bundles.golden_cases import TOLERANCE
from shared.engines import ENGINES, EagerEngine, Engine, Features, Precision
from shared.imaging import Framing
from shared.imaging.image import Nodule
from shared.learning import FittedModel, build_extractor, fit, phantom_samples
from shared.learning.features.extractors import NetworkExtractor, engine_facts
from shared.networks import TapNetwork, WeightsFinder, new_head
from shared.recipes import HandcraftedFeatures, NetworkFeatures, read_recipe
from tests.support.builders import SMALL_RECIPE, small_model
from tests.support.double_engine import DoubleEngine
from tests.support.watched_engine import WatchedEngine

NO_WEIGHTS = WeightsFinder(None, Path("nowhere"), download=False)
TESTED_ENGINES: tuple[type[Engine], ...] = (*ENGINES, DoubleEngine)
OTHER_ENGINES = [engine for engine in TESTED_ENGINES if engine is not EagerEngine]
"""The small model is fitted by EagerEngine, and many tests besides these run it."""
MAX_RELATIVE_ERROR = {
    Precision.FP64: 1e-4,
    Precision.FP32: 1e-3,
    Precision.FP16: 1e-2,
    Precision.BF16: 5e-2,
}
"""Largest error of a feature, as a part of the largest feature. CUDA's TF32 counts as FP32."""

each_engine = pytest.mark.parametrize("engine_class", TESTED_ENGINES)
each_other_engine = pytest.mark.parametrize("engine_class", OTHER_ENGINES)


def assert_close(
    features: Features, expected: NDArray[np.float32], precision: Precision
) -> None:
    assert features.dtype == np.float32
    error = np.abs(features - expected).max() / np.abs(expected).max()
    assert error < MAX_RELATIVE_ERROR[precision]


def test_every_engine_has_its_own_name():
    names = {engine_class().name for engine_class in TESTED_ENGINES}
    assert len(names) == len(TESTED_ENGINES)


@each_engine
@pytest.mark.parametrize("batch_size", [1, 2, 5, 9, None])
def test_features_are_those_of_the_network_whatever_the_batch_size(
    network, images, engine_class, batch_size
):
    expected = network(torch.from_numpy(images)).numpy()
    engine = engine_class()
    features = engine.compile(network, batch_size=batch_size).run(images)
    assert features.shape == (5, network.width)
    assert_close(features, expected, engine.precision)


@each_engine
def test_the_features_of_an_image_do_not_depend_on_the_other_images(
    network, images, engine_class
):
    engine = engine_class()
    compiled = engine.compile(network)
    assert_close(compiled.run(images)[:1], compiled.run(images[:1]), engine.precision)


@each_engine
def test_the_network_keeps_its_weights(network, images, engine_class):
    before = deepcopy(network.state_dict())
    engine_class().compile(network).run(images)
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor.cpu(), before[name])


@each_engine
def test_the_caller_may_change_the_returned_features(network, images, engine_class):
    compiled = engine_class().compile(network)
    first = compiled.run(images)
    expected = first.copy()
    first[:] = 0
    np.testing.assert_array_equal(compiled.run(images), expected)


@pytest.fixture(scope="module")
def nodules() -> list[Nodule]:
    return [sample.load(Framing(0.1)) for sample in phantom_samples(6, 700)]


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("bundles") / "small"
    save(small_model(), folder, synthetic=True)
    return folder


def scores(model, nodules) -> list[float]:
    return [prediction.score for prediction in model.predict(nodules)]


@each_other_engine
def test_an_engine_fits_a_model(nodules, engine_class):
    engine = WatchedEngine(engine_class())
    model = fit(
        phantom_samples(24, 0),
        read_recipe(SMALL_RECIPE),
        NO_WEIGHTS,
        engine=engine,
    )
    assert sum(engine.passes) >= 24
    np.testing.assert_allclose(
        scores(model, nodules), scores(small_model(), nodules), atol=0.02
    )


@each_engine
def test_an_engine_verifies_predicts_and_explains_a_bundle(
    saved, nodules, engine_class
):
    engine = WatchedEngine(engine_class())
    bundle = load(saved, engine=engine)
    with_default = load(saved)
    nodules_and_pictures = 2 * len(with_default.manifest.golden.scores)
    assert sum(engine.passes) == nodules_and_pictures
    np.testing.assert_allclose(
        scores(bundle, nodules), scores(with_default, nodules), atol=TOLERANCE
    )
    count = len(engine.passes)
    drops = occlusion_map(bundle, nodules[0], grid=2)
    np.testing.assert_allclose(
        drops, occlusion_map(with_default, nodules[0], grid=2), atol=TOLERANCE
    )
    assert len(engine.passes) > count


@each_engine
def test_a_bundle_of_an_engine_is_saved_with_the_network_s_own_weights(
    saved, tmp_path, engine_class
):
    model = load(saved, engine=engine_class()).model
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


@each_other_engine
def test_a_tuned_network_is_explained_with_its_engine_except_for_its_gradients(
    saved, nodules, engine_class
):
    engine = WatchedEngine(engine_class())
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


def extractor(engine: Engine, flips: bool = False) -> NetworkExtractor:
    recipe = read_recipe(SMALL_RECIPE)
    features = replace(recipe.features[0], flips=flips)
    return build_extractor(features, recipe, NO_WEIGHTS, seed=0, engine=engine)


@each_engine
@pytest.mark.parametrize("flips", [False, True])
def test_features_are_equal_to_those_of_the_default_engine(
    flips, nodules, engine_class
):
    engine = engine_class()
    reference = extractor(EagerEngine(), flips)
    prepared = [reference.prepare(nodule) for nodule in nodules]
    assert_close(
        extractor(engine, flips).compute(prepared),
        reference.compute(prepared),
        engine.precision,
    )


class OtherEngine(EagerEngine):
    """Of the same precision."""

    name = "other"


def test_no_two_engines_share_cached_features():
    engines = [engine_class() for engine_class in (*TESTED_ENGINES, OtherEngine)]
    digests = {extractor(engine).digest for engine in engines}
    assert len(digests) == len(engines)


def test_features_that_the_default_engine_cached_before_engines_had_names_stay_valid():
    assert engine_facts(EagerEngine()) == {}
