import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.features.shape import shape_features


def ellipse(across: float, deep: float, size: int = 256) -> np.ndarray:
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    return (x / across) ** 2 + (y / deep) ** 2 <= 1


@pytest.mark.parametrize("radius", [15, 40, 100])
def test_a_disc_is_round_by_every_measure(radius):
    found = shape_features(ellipse(radius, radius))
    assert found["area"] == pytest.approx(np.pi * radius**2, rel=0.02)
    assert found["perimeter"] == pytest.approx(2 * np.pi * radius, rel=0.03)
    for name in (
        "circularity",
        "sphericity",
        "roundness",
        "convexity",
        "solidity",
        "elongation",
        "height_to_width",
    ):
        assert found[name] == pytest.approx(1, abs=0.04), name


def test_sphericity_is_circularity_squared():
    found = shape_features(ellipse(80, 40))
    assert found["circularity"] == pytest.approx(
        2 * np.sqrt(np.pi * found["area"]) / found["perimeter"]
    )
    assert found["sphericity"] == pytest.approx(found["circularity"] ** 2)


def test_an_ellipse_keeps_its_axes():
    found = shape_features(ellipse(80, 40))
    assert found["elongation"] == pytest.approx(0.5, abs=0.01)
    assert found["roundness"] == pytest.approx(0.5, abs=0.01)
    assert found["height_to_width"] == pytest.approx(0.5, abs=0.01)


def test_taller_than_wide_exceeds_one():
    assert shape_features(ellipse(30, 60))["height_to_width"] == pytest.approx(2, abs=0.05)


def test_a_notch_costs_convexity_and_solidity():
    whole = ellipse(60, 60)
    notched = whole.copy()
    notched[:128, 118:138] = False
    assert shape_features(notched)["convexity"] < shape_features(whole)["convexity"] - 0.1
    assert shape_features(notched)["solidity"] < shape_features(whole)["solidity"] - 0.05


@settings(max_examples=40)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_any_mask_gives_finite_ratios_up_to_one(height, width, seed):
    mask = np.random.default_rng(seed).random((height, width)) < 0.6
    mask[height // 2, width // 2] = True
    found = shape_features(mask)
    assert np.isfinite(list(found.values())).all()
    for name in (
        "circularity",
        "sphericity",
        "roundness",
        "convexity",
        "solidity",
        "elongation",
    ):
        assert 0 < found[name] <= 1, name


def turned(degrees: float, size: int = 256) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates along and across a direction, from the middle of the image."""
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    angle = np.deg2rad(degrees)
    return x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)


def disc(degrees: float) -> tuple[np.ndarray, float, float, float]:
    """Mask; true area, perimeter and major axis."""
    along, across = turned(degrees)
    return along**2 + across**2 <= 80**2, np.pi * 80**2, 2 * np.pi * 80, 160


def oval(degrees: float) -> tuple[np.ndarray, float, float, float]:
    along, across = turned(degrees)
    a = 100
    b = 55
    ramanujan = np.pi * (3 * (a + b) - np.sqrt((3 * a + b) * (a + 3 * b)))
    return (along / a) ** 2 + (across / b) ** 2 <= 1, np.pi * a * b, ramanujan, 2 * a


def square(degrees: float) -> tuple[np.ndarray, float, float, float]:
    """Its major axis is that of the ellipse with the same second moments: 4 * side / sqrt(12)."""
    along, across = turned(degrees)
    return np.maximum(abs(along), abs(across)) <= 60, 120.0**2, 480, 480 / np.sqrt(12)


@pytest.mark.parametrize("degrees", [0, 20, 45])
@pytest.mark.parametrize("drawn", [disc, oval, square])
def test_a_drawn_figure_has_the_values_of_the_decks_formulas(drawn, degrees):
    """Within 6 per cent of a perimeter, and so 13 of its square: Kulpa's factor is a mean over directions."""
    mask, area, outline, major = drawn(degrees)
    found = shape_features(mask)
    assert found["area"] == pytest.approx(area, rel=0.01)
    assert found["perimeter"] == pytest.approx(outline, rel=0.06)
    assert found["circularity"] == pytest.approx(
        2 * np.sqrt(np.pi * area) / outline, rel=0.06
    )
    assert found["sphericity"] == pytest.approx(4 * np.pi * area / outline**2, rel=0.13)
    assert found["compactness"] == pytest.approx(outline**2 / area, rel=0.13)
    assert found["roundness"] == pytest.approx(4 * area / (np.pi * major**2), rel=0.01)
    assert found["convexity"] == pytest.approx(1, abs=0.06)


@pytest.mark.parametrize("drawn", [disc, oval, square])
def test_ratios_follow_from_the_measured_area_and_perimeter(drawn):
    found = shape_features(drawn(20)[0])
    area = found["area"]
    outline = found["perimeter"]
    assert found["circularity"] == pytest.approx(
        min(2 * np.pi * np.sqrt(area / np.pi) / outline, 1)
    )
    assert found["sphericity"] == pytest.approx(found["circularity"] ** 2)
    assert found["compactness"] == pytest.approx(outline**2 / area)
