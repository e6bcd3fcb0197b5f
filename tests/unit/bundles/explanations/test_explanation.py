from dataclasses import replace

import cv2
import numpy as np
import pytest

from shared.bundles import load
from shared.bundles.explanations.deletion_test import STEPS, deletion_test
from shared.bundles.explanations.explanation import GRID, explain, occlusion_map
from shared.bundles.explanations.heatmap import layer_png
from shared.bundles.explanations.occlusion import MAX_SLICE_PASSES, OcclusionMask, no_pause, score_in_slices
from shared.engines import EagerEngine
from shared.imaging.image import Nodule
from shared.learning.features.extractors import NetworkExtractor
from shared.networks import TapNetwork, new_head
from shared.recipes import HandcraftedFeatures, NetworkFeatures


class Blinkered:
    """An extractor that sees the upper left quarter of a nodule and nothing else."""

    def __init__(self, seeing) -> None:
        self._seeing = seeing
        self.source = seeing.source
        self.width = seeing.width
        self.digest = seeing.digest
        self.compute = seeing.compute

    def prepare(self, nodule: Nodule):
        pixels = np.full_like(nodule.pixels, 90)
        rows, columns = (side // 2 for side in pixels.shape)
        pixels[:rows, :columns] = nodule.pixels[:rows, :columns]
        return self._seeing.prepare(replace(nodule, pixels=pixels))


@pytest.fixture(scope="session")
def bundle(saved):
    return load(saved[0])


@pytest.fixture(scope="session")
def blinkered(bundle):
    return replace(
        bundle,
        model=replace(
            bundle.model,
            extractors=tuple(Blinkered(each) for each in bundle.model.extractors),
        ),
    )


def test_the_map_points_at_the_only_region_that_the_classifiers_look_at(
    blinkered, nodules
):
    drops = occlusion_map(blinkered, nodules[0])
    half = GRID // 2
    seen = np.zeros((GRID, GRID), bool)
    seen[: half + 1, : half + 1] = True  # patches overlap by half a cell
    assert np.abs(drops[~seen]).max() == pytest.approx(0, abs=1e-6)
    assert np.abs(drops[:half, :half]).max() > 0.001
    assert np.argmax(np.abs(drops)) in np.flatnonzero(seen)


def brightness_of_a_corner(nodules):
    return [float(each.pixels[:16, :16].mean() / 255) for each in nodules]


def bright_corner() -> Nodule:
    pixels = np.zeros((64, 64), np.uint8)
    pixels[:16, :16] = 255
    return Nodule(pixels, np.ones((64, 64), bool))


def test_a_true_map_makes_the_score_fall_faster_than_chance_and_a_false_one_slower():
    veil = OcclusionMask.of_nodule(bright_corner(), 8)
    true = np.zeros((8, 8))
    true[:2, :2] = 1
    right = deletion_test(brightness_of_a_corner, veil, true, no_pause)
    wrong = deletion_test(brightness_of_a_corner, veil, -true, no_pause)
    assert right.area > 0.05
    assert wrong.area < -0.05
    assert right.ordered[0] == right.random[0] == 1
    assert right.ordered[-1] == right.random[-1] == wrong.ordered[-1]
    assert len(right.hidden) == STEPS + 1


def test_the_area_is_that_between_the_curves():
    tested = deletion_test(
        brightness_of_a_corner, OcclusionMask.of_nodule(bright_corner(), 8), np.eye(8), no_pause
    )
    gaps = np.array(tested.random) - np.array(tested.ordered)
    assert tested.area == pytest.approx(
        ((gaps[1:] + gaps[:-1]) / 2 / STEPS).sum(), abs=1e-3
    )


def test_a_nodule_that_cannot_be_read_with_parts_hidden_shows_no_fall():
    def unreadable(nodules):
        return [
            0.5 if np.array_equal(each.pixels, bright_corner().pixels) else None
            for each in nodules
        ]

    tested = deletion_test(
        unreadable, OcclusionMask.of_nodule(bright_corner(), 8), np.eye(8), no_pause
    )
    assert set(tested.ordered) == set(tested.random) == {0.5}
    assert tested.area == 0


def test_between_slices_there_is_a_pause():
    sizes = []
    pauses = []

    def score(nodules):
        sizes.append(len(nodules))
        return [0.0] * len(nodules)

    assert (
        score_in_slices(score, [bright_corner()] * 50, lambda: pauses.append(len(sizes)))
        == [0.0] * 50
    )
    assert sizes[0] == 1
    assert max(sizes) <= MAX_SLICE_PASSES
    assert pauses == list(range(1, len(sizes) + 1))


@pytest.fixture
def small_nodule(nodules) -> Nodule:
    """At half the resolution: its texture is measured in a quarter of the time."""
    pixels = nodules[0].pixels
    mask = nodules[0].mask
    return Nodule(pixels[::2, ::2].copy(), mask[::2, ::2].copy())


def test_a_tuned_network_has_a_map_of_its_own_and_one_as_it_came_has_none(
    bundle, small_nodule
):
    assert [each.kind for each in explain(bundle, small_nodule).maps] == ["occlusion"]
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
    made = explain(replace(bundle, model=model), small_nodule, lambda: pauses.append(1))
    of_ensemble, of_network = made.maps
    assert (of_network.kind, of_network.subject, of_network.layer) == (
        "grad-cam",
        "sera_tiny",
        "block4",
    )
    assert of_network.values.shape == (6, 6)
    assert of_network.values.min() >= 0
    assert of_network.strongest is None
    assert abs(of_ensemble.strongest) == np.abs(of_ensemble.values).max()
    assert len(pauses) > 10


def test_the_layer_is_transparent_where_nothing_speaks_and_striped_where_it_speaks_against():
    values = np.zeros((8, 8))
    values[:, :2], values[:, -2:] = 1, -0.5
    layer = cv2.imdecode(
        np.frombuffer(layer_png(values, (64, 96)), np.uint8), cv2.IMREAD_UNCHANGED
    )
    assert layer.shape == (64, 96, 4)
    assert layer[:, 40:50, 3].max() < 40
    assert layer[32, 4, 2] > 200 > layer[32, 4, 0]
    assert layer[32, -4, 0] > 200 > layer[32, -4, 2]
    assert layer[:, :8, 3].std() < 10 < layer[:, -8:, 3].std()
