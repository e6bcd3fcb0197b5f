from dataclasses import replace

import cv2
import numpy as np
import pytest

from shared.bundles import load
from shared.bundles.explanations.deletion_test import STEP_COUNT, deletion_test
from shared.bundles.explanations.explanation import GRID, explain, occlusion_map
from shared.bundles.explanations.heatmap import layer_png
from shared.bundles.explanations.occlusion import (
    MAX_SLICE_PASSES,
    OcclusionMask,
    no_pause,
    score_in_slices,
)
from shared.engines import EagerEngine
from shared.imaging.image import Nodule
from shared.learning.features.extractors import NetworkExtractor
from shared.networks import TapNetwork, new_head
from shared.recipes import HandcraftedFeatures, NetworkFeatures


class CornerExtractor:
    """An extractor that sees only the upper left quarter of a nodule."""

    def __init__(self, extractor) -> None:
        self._extractor = extractor
        self.feature_set = extractor.feature_set
        self.width = extractor.width
        self.digest = extractor.digest
        self.compute = extractor.compute

    def prepare(self, nodule: Nodule):
        pixels = np.full_like(nodule.pixels, 90)
        rows, columns = (side // 2 for side in pixels.shape)
        pixels[:rows, :columns] = nodule.pixels[:rows, :columns]
        return self._extractor.prepare(replace(nodule, pixels=pixels))


@pytest.fixture(scope="session")
def bundle(saved):
    return load(saved[0])


@pytest.fixture(scope="session")
def corner_bundle(bundle):
    return replace(
        bundle,
        model=replace(
            bundle.model,
            extractors=tuple(
                CornerExtractor(extractor) for extractor in bundle.model.extractors
            ),
        ),
    )


def test_the_map_points_at_the_only_region_that_the_classifiers_see(
    corner_bundle, nodules
):
    drops = occlusion_map(corner_bundle, nodules[0])
    half = GRID // 2
    visible = np.zeros((GRID, GRID), bool)
    visible[: half + 1, : half + 1] = True  # patches overlap by half a cell
    assert np.abs(drops[~visible]).max() == pytest.approx(0, abs=1e-6)
    assert np.abs(drops[:half, :half]).max() > 0.001
    assert np.argmax(np.abs(drops)) in np.flatnonzero(visible)


def brightness_of_a_corner(nodules):
    return [float(nodule.pixels[:16, :16].mean() / 255) for nodule in nodules]


def bright_corner() -> Nodule:
    pixels = np.zeros((64, 64), np.uint8)
    pixels[:16, :16] = 255
    return Nodule(pixels, np.ones((64, 64), bool))


def test_a_true_map_makes_the_score_fall_faster_than_chance_and_a_false_one_slower():
    mask = OcclusionMask.of_nodule(bright_corner(), 8)
    true = np.zeros((8, 8))
    true[:2, :2] = 1
    of_true_map = deletion_test(brightness_of_a_corner, mask, true, no_pause)
    of_false_map = deletion_test(brightness_of_a_corner, mask, -true, no_pause)
    assert of_true_map.area > 0.05
    assert of_false_map.area < -0.05
    assert of_true_map.ordered[0] == of_true_map.random[0] == 1
    assert of_true_map.ordered[-1] == of_true_map.random[-1] == of_false_map.ordered[-1]
    assert len(of_true_map.hidden) == STEP_COUNT + 1


def test_the_area_lies_between_the_curves():
    faithfulness = deletion_test(
        brightness_of_a_corner,
        OcclusionMask.of_nodule(bright_corner(), 8),
        np.eye(8),
        no_pause,
    )
    gaps = np.array(faithfulness.random) - np.array(faithfulness.ordered)
    assert faithfulness.area == pytest.approx(
        ((gaps[1:] + gaps[:-1]) / 2 / STEP_COUNT).sum(), abs=1e-3
    )


def test_a_nodule_that_becomes_unreadable_with_parts_hidden_shows_no_fall():
    def unreadable(nodules):
        return [
            0.5 if np.array_equal(nodule.pixels, bright_corner().pixels) else None
            for nodule in nodules
        ]

    faithfulness = deletion_test(
        unreadable, OcclusionMask.of_nodule(bright_corner(), 8), np.eye(8), no_pause
    )
    assert set(faithfulness.ordered) == set(faithfulness.random) == {0.5}
    assert faithfulness.area == 0


def test_a_pause_follows_each_slice():
    sizes = []
    pauses = []

    def score(nodules):
        sizes.append(len(nodules))
        return [0.0] * len(nodules)

    assert (
        score_in_slices(
            score, [bright_corner()] * 50, lambda: pauses.append(len(sizes))
        )
        == [0.0] * 50
    )
    assert sizes[0] == 1
    assert max(sizes) <= MAX_SLICE_PASSES
    assert pauses == list(range(1, len(sizes) + 1))


@pytest.fixture
def small_nodule(nodules) -> Nodule:
    """A nodule at half the resolution, whose texture takes a quarter of the time."""
    pixels = nodules[0].pixels
    mask = nodules[0].mask
    return Nodule(pixels[::2, ::2].copy(), mask[::2, ::2].copy())


def test_a_tuned_network_has_a_map_of_its_own_and_a_pre_trained_one_has_none(
    bundle, small_nodule
):
    assert [heatmap.kind for heatmap in explain(bundle, small_nodule).maps] == [
        "occlusion"
    ]
    first = bundle.model.extractors[0]
    tensors = first.network.state_dict() | {
        f"head.{name}": tensor
        for name, tensor in new_head(first.network.card).state_dict().items()
    }
    network = TapNetwork.from_tensors("sera_tiny", ["avg"], tensors)
    tuned = NetworkExtractor(
        NetworkFeatures("sera_tiny", ("avg",)), network, EagerEngine()
    )
    pauses = []
    model = replace(
        bundle.model,
        extractors=(*bundle.model.extractors, tuned),
        recipe=replace(
            bundle.model.recipe,
            features=(*bundle.model.recipe.features, HandcraftedFeatures(("shape",))),
        ),
    )
    explanation = explain(
        replace(bundle, model=model), small_nodule, lambda: pauses.append(1)
    )
    ensemble_map, network_map = explanation.maps
    assert (network_map.kind, network_map.subject, network_map.layer) == (
        "grad-cam",
        "sera_tiny",
        "block4",
    )
    assert network_map.values.shape == (6, 6)
    assert network_map.values.min() >= 0
    assert network_map.strongest is None
    assert abs(ensemble_map.strongest) == np.abs(ensemble_map.values).max()
    assert len(pauses) > 10


def test_the_layer_is_transparent_without_evidence_and_striped_where_it_is_against_malignancy():
    values = np.zeros((8, 8))
    values[:, :2] = 1
    values[:, -2:] = -0.5
    layer = cv2.imdecode(
        np.frombuffer(layer_png(values, (64, 96)), np.uint8), cv2.IMREAD_UNCHANGED
    )
    assert layer.shape == (64, 96, 4)
    assert layer[:, 40:50, 3].max() < 40
    assert layer[32, 4, 2] > 200 > layer[32, 4, 0]
    assert layer[32, -4, 0] > 200 > layer[32, -4, 2]
    assert layer[:, :8, 3].std() < 10 < layer[:, -8:, 3].std()
