import numpy as np
import pytest

from shared.features.region import Region
from shared.features.wavelet import bands


def all_inside(values: np.ndarray) -> Region:
    return Region(values, np.ones(values.shape, bool))


def test_bands_of_one_block_by_hand():
    """Haar of [[1, 2], [3, 4]]: sum, differences along y and x, and across, each halved."""
    found = {name: band.values.item() for name, band in bands(all_inside(np.array([[1, 2], [3, 4]], np.uint8))).items()}
    assert found == pytest.approx({"ll": 5, "lh": -2, "hl": -1, "hh": 0})


def test_horizontal_stripes_fill_lh_and_vertical_ones_hl():
    stripes = np.tile(np.array([[0], [200]], np.uint8), (8, 16))
    assert np.abs(bands(all_inside(stripes))["lh"].values).min() == pytest.approx(200)
    assert not bands(all_inside(stripes))["hl"].values.any()
    assert np.abs(bands(all_inside(stripes.T.copy()))["hl"].values).min() == pytest.approx(200)


def test_energy_is_kept():
    pixels = np.random.default_rng(0).integers(0, 256, (32, 48)).astype(np.uint8)
    energy = sum((band.values**2).sum() for band in bands(all_inside(pixels)).values())
    assert energy == pytest.approx((pixels.astype(float) ** 2).sum())


def test_a_coefficient_is_inside_where_half_of_its_pixels_are():
    mask = np.array([[1, 1, 1, 0], [0, 0, 0, 0], [1, 1, 0, 0], [1, 1, 0, 0]], bool)
    band = bands(Region(np.zeros((4, 4), np.uint8), mask))["ll"]
    assert band.mask.tolist() == [[True, False], [True, False]]


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (3, 3)])
def test_odd_sides_and_single_pixels_have_bands(size):
    found = bands(all_inside(np.full(size, 9, np.uint8)))
    assert all(band.mask.any() and band.values.shape == band.mask.shape for band in found.values())
