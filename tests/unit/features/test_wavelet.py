import numpy as np
import pytest
import pywt
import scipy.stats

from shared.features.region import Region
from shared.features.wavelet import bands, wavelet_features


def all_inside(values: np.ndarray) -> Region:
    return Region(values, np.ones(values.shape, bool))


def test_bands_of_one_block_by_hand():
    """Haar of [[1, 2], [3, 4]]: sum, differences along y and x, and across, each halved."""
    found = {
        name: band.values.item()
        for name, band in bands(
            all_inside(np.array([[1, 2], [3, 4]], np.uint8))
        ).items()
    }
    assert found == pytest.approx({"ll": 5, "lh": -2, "hl": -1, "hh": 0})


def test_horizontal_stripes_fill_lh_and_vertical_ones_hl():
    stripes = np.tile(np.array([[0], [200]], np.uint8), (8, 16))
    assert np.abs(bands(all_inside(stripes))["lh"].values).min() == pytest.approx(200)
    assert not bands(all_inside(stripes))["hl"].values.any()
    assert np.abs(
        bands(all_inside(stripes.T.copy()))["hl"].values
    ).min() == pytest.approx(200)


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
    assert all(
        band.mask.any() and band.values.shape == band.mask.shape
        for band in found.values()
    )


@pytest.fixture
def lesion() -> Region:
    y, x = np.mgrid[:37, :44]
    pixels = np.random.default_rng(2).integers(0, 256, (37, 44)).astype(np.uint8)
    return Region.from_mask(pixels, (y - 18) ** 2 + (x - 20) ** 2 < 16**2)


def along_one_axis_after_the_other(region: Region) -> dict[str, np.ndarray]:
    """The four bands by two passes of the one-dimensional transform: columns (x) first, then rows (y)."""
    by_x = dict(
        zip("lh", pywt.dwt(region.values.astype(float), "haar", axis=1), strict=True)
    )
    by_y = {
        first: dict(zip("lh", pywt.dwt(half, "haar", axis=0), strict=True))
        for first, half in by_x.items()
    }
    return {first + second: by_y[first][second] for first in "lh" for second in "lh"}


def test_bands_are_those_of_two_passes_in_one_dimension(lesion):
    expected = along_one_axis_after_the_other(lesion)
    for name, band in bands(lesion).items():
        assert band.values == pytest.approx(expected[name], abs=1e-9), name


def test_each_band_has_its_own_statistics_and_cooccurrence(lesion):
    """Statistics by numpy and scipy, contrast by looking at each pair of neighbours.

    The contrast is of the very coefficients: they are halves of whole numbers, some on the edge of a grey level, where
    the last bit decides.
    """
    found = wavelet_features(lesion, levels=8)
    mask = bands(lesion)["ll"].mask
    for name, values in along_one_axis_after_the_other(lesion).items():
        inside = values[mask]
        assert found[f"{name}_stat_mean"] == pytest.approx(inside.mean())
        assert found[f"{name}_stat_var"] == pytest.approx(inside.var())
        assert found[f"{name}_stat_skew"] == pytest.approx(scipy.stats.skew(inside))
        assert found[f"{name}_stat_energy"] == pytest.approx((inside**2).sum())
        band = bands(lesion)[name].values
        assert found[f"{name}_glcm_contrast_comb"] == pytest.approx(
            contrast_pair_by_pair(band, mask, levels=8)
        )


def contrast_pair_by_pair(values: np.ndarray, mask: np.ndarray, levels: int) -> float:
    low = values[mask].min()
    high = values[mask].max()
    grey = np.minimum(np.floor((values - low) * (levels / (high - low))) + 1, levels)
    squares = []
    for y, x in np.argwhere(mask):
        for step_y, step_x in ((0, 1), (1, 1), (1, 0), (1, -1)):
            there = (y + step_y, x + step_x)
            if (
                there[0] < mask.shape[0]
                and 0 <= there[1] < mask.shape[1]
                and mask[there]
            ):
                squares.append((grey[y, x] - grey[there]) ** 2)
    return float(np.mean(squares))
