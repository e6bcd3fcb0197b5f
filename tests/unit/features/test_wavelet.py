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
    features = {
        name: band.values.item()
        for name, band in bands(
            all_inside(np.array([[1, 2], [3, 4]], np.uint8))
        ).items()
    }
    assert features == pytest.approx({"ll": 5, "lh": -2, "hl": -1, "hh": 0})


def test_horizontal_stripes_fill_lh_and_vertical_ones_hl():
    stripes = np.tile(np.array([[0], [200]], np.uint8), (8, 16))
    assert np.abs(bands(all_inside(stripes))["lh"].values).min() == pytest.approx(200)
    assert not bands(all_inside(stripes))["hl"].values.any()
    assert np.abs(
        bands(all_inside(stripes.T.copy()))["hl"].values
    ).min() == pytest.approx(200)


def test_the_transform_preserves_the_energy():
    pixels = np.random.default_rng(0).integers(0, 256, (32, 48)).astype(np.uint8)
    energy = sum((band.values**2).sum() for band in bands(all_inside(pixels)).values())
    assert energy == pytest.approx((pixels.astype(float) ** 2).sum())


def test_a_coefficient_is_inside_where_half_of_its_pixels_are():
    mask = np.array([[1, 1, 1, 0], [0, 0, 0, 0], [1, 1, 0, 0], [1, 1, 0, 0]], bool)
    band = bands(Region(np.zeros((4, 4), np.uint8), mask))["ll"]
    assert band.mask.tolist() == [[True, False], [True, False]]


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (3, 3)])
def test_odd_sides_and_single_pixels_have_bands(size):
    features = bands(all_inside(np.full(size, 9, np.uint8)))
    assert all(
        band.mask.any() and band.values.shape == band.mask.shape
        for band in features.values()
    )


@pytest.fixture
def lesion() -> Region:
    y, x = np.mgrid[:37, :44]
    pixels = np.random.default_rng(2).integers(0, 256, (37, 44)).astype(np.uint8)
    return Region.from_mask(pixels, (y - 18) ** 2 + (x - 20) ** 2 < 16**2)


def bands_by_two_passes(region: Region) -> dict[str, np.ndarray]:
    """The four bands by two one-dimensional transforms: first along x, then along y."""
    by_x = dict(
        zip("lh", pywt.dwt(region.values.astype(float), "haar", axis=1), strict=True)
    )
    by_y = {
        first: dict(zip("lh", pywt.dwt(half, "haar", axis=0), strict=True))
        for first, half in by_x.items()
    }
    return {first + second: by_y[first][second] for first in "lh" for second in "lh"}


def test_bands_are_those_of_two_passes_in_one_dimension(lesion):
    expected = bands_by_two_passes(lesion)
    for name, band in bands(lesion).items():
        assert band.values == pytest.approx(expected[name], abs=1e-9), name


def test_each_band_has_its_own_statistics_and_cooccurrence(lesion):
    """Statistics by numpy and scipy, contrast by looking at each pair of neighbours.

    The contrast uses the coefficients of `bands`. They are halves of whole numbers, and some lie on
    the edge of a grey level, where the last bit decides.
    """
    features = wavelet_features(lesion, levels=8)
    mask = bands(lesion)["ll"].mask
    for name, values in bands_by_two_passes(lesion).items():
        masked_values = values[mask]
        assert features[f"{name}_stat_mean"] == pytest.approx(masked_values.mean())
        assert features[f"{name}_stat_var"] == pytest.approx(masked_values.var())
        assert features[f"{name}_stat_skew"] == pytest.approx(
            scipy.stats.skew(masked_values)
        )
        assert features[f"{name}_stat_energy"] == pytest.approx(
            (masked_values**2).sum()
        )
        band = bands(lesion)[name].values
        assert features[f"{name}_glcm_contrast_comb"] == pytest.approx(
            contrast_pair_by_pair(band, mask, levels=8)
        )


def contrast_pair_by_pair(values: np.ndarray, mask: np.ndarray, levels: int) -> float:
    low = values[mask].min()
    high = values[mask].max()
    grey = np.minimum(np.floor((values - low) * (levels / (high - low))) + 1, levels)
    squares = []
    for y, x in np.argwhere(mask):
        for step_y, step_x in ((0, 1), (1, 1), (1, 0), (1, -1)):
            neighbour = (y + step_y, x + step_x)
            if (
                neighbour[0] < mask.shape[0]
                and 0 <= neighbour[1] < mask.shape[1]
                and mask[neighbour]
            ):
                squares.append((grey[y, x] - grey[neighbour]) ** 2)
    return float(np.mean(squares))
