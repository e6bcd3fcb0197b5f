import numpy as np
import pytest

from shared.imaging.image import Nodule
from shared.learning.features.extractors import HandcraftedExtractor
from shared.recipes import HandcraftedFeatures

FAMILIES = ("shape", "glcm")


def test_other_levels_or_distances_have_another_cache_key():
    options_list = [
        {},
        {"levels": 256},
        {"distance": 2},
        {"levels": 2},
        {"levels": 256, "distance": 2},
    ]
    digests = {
        HandcraftedExtractor(HandcraftedFeatures(FAMILIES, **options)).digest
        for options in options_list
    }
    assert len(digests) == len(options_list)


@pytest.mark.parametrize("options", [{"levels": 256}, {"distance": 4}])
def test_the_recipes_levels_and_distance_reach_the_features(nodule, options):
    configured = HandcraftedExtractor(HandcraftedFeatures(("glcm",), **options))
    default = HandcraftedExtractor(HandcraftedFeatures(("glcm",)))
    assert (
        configured.prepare(nodule).shape
        == default.prepare(nodule).shape
        == (configured.width,)
    )
    assert (configured.prepare(nodule) != default.prepare(nodule)).any()


@pytest.fixture
def nodule() -> Nodule:
    pixels = np.random.default_rng(0).integers(0, 256, (60, 80)).astype(np.uint8)
    return Nodule(pixels, np.ones((60, 80), bool))
