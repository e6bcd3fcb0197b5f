import numpy as np
import pytest

from shared.imaging import Nodule, to_input

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


def nodule(pixels: np.ndarray) -> Nodule:
    return Nodule(pixels, np.ones(pixels.shape, bool))


@pytest.mark.parametrize("size", [(300, 200), (40, 60), (500, 50)])
def test_any_size_becomes_the_networks(size):
    tensor = to_input(nodule(np.full(size, 128, np.uint8)), 224, MEAN, STD)
    assert tensor.shape == (3, 224, 224)
    assert tensor.dtype == np.float32
    for channel, mean, std in zip(tensor, MEAN, STD, strict=True):
        assert channel == pytest.approx((128 / 255 - mean) / std, abs=1e-5)


def test_shrinking_averages():
    checks = np.indices((64, 64)).sum(0) % 2 * 200
    tensor = to_input(nodule(checks.astype(np.uint8)), 32, (0, 0, 0), (1, 1, 1))
    assert tensor == pytest.approx(100 / 255, abs=1e-6)


def test_an_even_scale_is_kept_as_it_is():
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32)).astype(np.uint8)
    assert to_input(nodule(pixels), 32, (0, 0, 0), (1, 1, 1))[1] == pytest.approx(
        pixels / 255, abs=1e-6
    )
