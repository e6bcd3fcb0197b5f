import numpy as np
import pytest

from shared.imaging.image import Nodule
from shared.learning.features.extractors import HandcraftedExtractor
from shared.recipes import HandcraftedFeatures

FAMILIES = ("shape", "glcm")


def test_other_levels_or_distances_are_cached_apart():
    chosen = [
        {},
        {"levels": 256},
        {"distance": 2},
        {"levels": 2},
        {"levels": 256, "distance": 2},
    ]
    digests = {
        HandcraftedExtractor(HandcraftedFeatures(FAMILIES, **options)).digest
        for options in chosen
    }
    assert len(digests) == len(chosen)


@pytest.mark.parametrize("options", [{"levels": 256}, {"distance": 4}])
def test_the_recipes_levels_and_distance_reach_the_features(nodule, options):
    chosen = HandcraftedExtractor(HandcraftedFeatures(("glcm",), **options))
    by_default = HandcraftedExtractor(HandcraftedFeatures(("glcm",)))
    assert (
        chosen.prepare(nodule).shape
        == by_default.prepare(nodule).shape
        == (chosen.width,)
    )
    assert (chosen.prepare(nodule) != by_default.prepare(nodule)).any()


@pytest.fixture
def nodule() -> Nodule:
    pixels = np.random.default_rng(0).integers(0, 256, (60, 80)).astype(np.uint8)
    return Nodule(pixels, np.ones((60, 80), bool))
