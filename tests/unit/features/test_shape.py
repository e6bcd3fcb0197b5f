import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.features.shape import shape


def ellipse(across: float, deep: float, size: int = 256) -> np.ndarray:
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    return (x / across) ** 2 + (y / deep) ** 2 <= 1


@pytest.mark.parametrize("radius", [15, 40, 100])
def test_a_disc_is_round_by_every_measure(radius):
    found = shape(ellipse(radius, radius))
    assert found["area"] == pytest.approx(np.pi * radius**2, rel=0.02)
    assert found["perimeter"] == pytest.approx(2 * np.pi * radius, rel=0.03)
    for name in ("circularity", "sphericity", "roundness", "convexity", "solidity", "elongation", "height_to_width"):
        assert found[name] == pytest.approx(1, abs=0.04), name


def test_sphericity_is_circularity_squared():
    found = shape(ellipse(80, 40))
    assert found["circularity"] == pytest.approx(2 * np.sqrt(np.pi * found["area"]) / found["perimeter"])
    assert found["sphericity"] == pytest.approx(found["circularity"] ** 2)


def test_an_ellipse_keeps_its_axes():
    found = shape(ellipse(80, 40))
    assert found["elongation"] == pytest.approx(0.5, abs=0.01)
    assert found["roundness"] == pytest.approx(0.5, abs=0.01)
    assert found["height_to_width"] == pytest.approx(0.5, abs=0.01)


def test_taller_than_wide_exceeds_one():
    assert shape(ellipse(30, 60))["height_to_width"] == pytest.approx(2, abs=0.05)


def test_a_notch_costs_convexity_and_solidity():
    whole = ellipse(60, 60)
    notched = whole.copy()
    notched[:128, 118:138] = False
    assert shape(notched)["convexity"] < shape(whole)["convexity"] - 0.1
    assert shape(notched)["solidity"] < shape(whole)["solidity"] - 0.05


@settings(max_examples=40)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_any_mask_gives_finite_ratios_up_to_one(height, width, seed):
    mask = np.random.default_rng(seed).random((height, width)) < 0.6
    mask[height // 2, width // 2] = True
    found = shape(mask)
    assert np.isfinite(list(found.values())).all()
    for name in ("circularity", "sphericity", "roundness", "convexity", "solidity", "elongation"):
        assert 0 < found[name] <= 1, name
