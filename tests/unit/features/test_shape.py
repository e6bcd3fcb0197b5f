import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.features.shape import shape_features


def ellipse(semi_width: float, semi_height: float, size: int = 256) -> np.ndarray:
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    return (x / semi_width) ** 2 + (y / semi_height) ** 2 <= 1


@pytest.mark.parametrize("radius", [15, 40, 100])
def test_a_disc_is_round_by_every_measure(radius):
    features = shape_features(ellipse(radius, radius))
    assert features["area"] == pytest.approx(np.pi * radius**2, rel=0.02)
    assert features["perimeter"] == pytest.approx(2 * np.pi * radius, rel=0.03)
    for name in (
        "circularity",
        "sphericity",
        "roundness",
        "convexity",
        "solidity",
        "elongation",
        "height_to_width",
    ):
        assert features[name] == pytest.approx(1, abs=0.04), name


def test_sphericity_is_circularity_squared():
    features = shape_features(ellipse(80, 40))
    assert features["circularity"] == pytest.approx(
        2 * np.sqrt(np.pi * features["area"]) / features["perimeter"]
    )
    assert features["sphericity"] == pytest.approx(features["circularity"] ** 2)


def test_an_ellipse_keeps_its_axes():
    features = shape_features(ellipse(80, 40))
    assert features["elongation"] == pytest.approx(0.5, abs=0.01)
    assert features["roundness"] == pytest.approx(0.5, abs=0.01)
    assert features["height_to_width"] == pytest.approx(0.5, abs=0.01)


def test_taller_than_wide_exceeds_one():
    assert shape_features(ellipse(30, 60))["height_to_width"] == pytest.approx(
        2, abs=0.05
    )


def test_a_notch_costs_convexity_and_solidity():
    disc_mask = ellipse(60, 60)
    notched_mask = disc_mask.copy()
    notched_mask[:128, 118:138] = False
    assert (
        shape_features(notched_mask)["convexity"]
        < shape_features(disc_mask)["convexity"] - 0.1
    )
    assert (
        shape_features(notched_mask)["solidity"]
        < shape_features(disc_mask)["solidity"] - 0.05
    )


@settings(max_examples=40)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_any_mask_gives_finite_ratios_up_to_one(height, width, seed):
    mask = np.random.default_rng(seed).random((height, width)) < 0.6
    mask[height // 2, width // 2] = True
    features = shape_features(mask)
    assert np.isfinite(list(features.values())).all()
    for name in (
        "circularity",
        "sphericity",
        "roundness",
        "convexity",
        "solidity",
        "elongation",
    ):
        assert 0 < features[name] <= 1, name


def rotated_coordinates(
    degrees: float, size: int = 256
) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates u along a direction and v across it, from the centre of the image."""
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    angle = np.deg2rad(degrees)
    return x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)


def disc(degrees: float) -> tuple[np.ndarray, float, float, float]:
    """Mask; true area, perimeter and major axis."""
    u, v = rotated_coordinates(degrees)
    return u**2 + v**2 <= 80**2, np.pi * 80**2, 2 * np.pi * 80, 160


def oval(degrees: float) -> tuple[np.ndarray, float, float, float]:
    u, v = rotated_coordinates(degrees)
    a = 100
    b = 55
    ramanujan = np.pi * (3 * (a + b) - np.sqrt((3 * a + b) * (a + 3 * b)))
    return (u / a) ** 2 + (v / b) ** 2 <= 1, np.pi * a * b, ramanujan, 2 * a


def square(degrees: float) -> tuple[np.ndarray, float, float, float]:
    """Its major axis is that of the ellipse with the same second moments: 4 * side / sqrt(12)."""
    u, v = rotated_coordinates(degrees)
    return np.maximum(abs(u), abs(v)) <= 60, 120.0**2, 480, 480 / np.sqrt(12)


@pytest.mark.parametrize("degrees", [0, 20, 45])
@pytest.mark.parametrize("figure", [disc, oval, square])
def test_a_drawn_figure_has_the_values_of_the_decks_formulas(figure, degrees):
    """The perimeter is within 6 %, its square within 13 %.

    The reason is that Kulpa's factor is a mean over directions.
    """
    mask, area, outline, major = figure(degrees)
    features = shape_features(mask)
    assert features["area"] == pytest.approx(area, rel=0.01)
    assert features["perimeter"] == pytest.approx(outline, rel=0.06)
    assert features["circularity"] == pytest.approx(
        2 * np.sqrt(np.pi * area) / outline, rel=0.06
    )
    assert features["sphericity"] == pytest.approx(
        4 * np.pi * area / outline**2, rel=0.13
    )
    assert features["compactness"] == pytest.approx(outline**2 / area, rel=0.13)
    assert features["roundness"] == pytest.approx(
        4 * area / (np.pi * major**2), rel=0.01
    )
    assert features["convexity"] == pytest.approx(1, abs=0.06)


@pytest.mark.parametrize("figure", [disc, oval, square])
def test_ratios_follow_from_the_measured_area_and_perimeter(figure):
    features = shape_features(figure(20)[0])
    area = features["area"]
    outline = features["perimeter"]
    assert features["circularity"] == pytest.approx(
        min(2 * np.pi * np.sqrt(area / np.pi) / outline, 1)
    )
    assert features["sphericity"] == pytest.approx(features["circularity"] ** 2)
    assert features["compactness"] == pytest.approx(outline**2 / area)
