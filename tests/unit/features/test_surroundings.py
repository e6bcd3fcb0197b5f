import numpy as np
import pytest

from shared.features import extract

SIDE = 96


def scene(
    inside: float, outside: float, blur: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """A disc of one grey on a background of another."""
    y, x = np.mgrid[:SIDE, :SIDE]
    mask = (x - 48) ** 2 + (y - 48) ** 2 < 24**2
    pixels = np.where(mask, inside, outside).astype(np.float64)
    for _ in range(blur):
        pixels = (
            pixels
            + sum(np.roll(pixels, step, axis) for step in (1, -1) for axis in (0, 1))
        ) / 5
    return np.rint(pixels).astype(np.uint8), mask


def measure(*scene_arguments, family: str) -> dict[str, float]:
    vector = extract(*scene(*scene_arguments), (family,))
    return dict(zip(vector.names, vector.values, strict=True))


def test_a_dark_nodule_has_negative_contrast_to_the_ring_and_to_what_is_beyond():
    dark = measure(40, 120, family="contrast")
    assert dark["contrast_ring_mean"] == dark["contrast_beyond_mean"] == -80
    assert dark["contrast_ring_median"] == -80
    assert dark["contrast_ring_standardised"] == -80 / 5
    assert dark["contrast_ring_log_ratio"] == pytest.approx(np.log(43 / 123))
    assert dark["contrast_rim_ring"] == -80
    assert dark["contrast_core_rim"] == 0


def test_brightness_of_both_alike_leaves_their_difference():
    assert measure(60, 140, family="contrast")["contrast_ring_mean"] == -80
    assert measure(140, 60, family="contrast")["contrast_ring_mean"] == 80


def test_a_sharp_margin_steps_further_than_a_blurred_one():
    sharp, blurred = (
        measure(40, 120, blur, family="outline")["outline_mean"] for blur in (0, 40)
    )
    assert sharp > 1.5 * blurred > 0


def test_the_step_of_grey_turns_with_the_contrast():
    dark = measure(40, 120, family="outline")
    bright = measure(120, 40, family="outline")
    assert dark["outline_mean"] == pytest.approx(-bright["outline_mean"], rel=1e-3)
    assert (dark["outline_darker_outside"], bright["outline_darker_outside"]) == (0, 1)


def test_even_tissue_has_neither():
    for family in ("contrast", "outline"):
        assert all(value == 0 for value in measure(90, 90, family=family).values())


def test_a_nodule_that_fills_its_crop_is_measured_against_its_own_edge():
    pixels = np.random.default_rng(0).integers(0, 255, (40, 30), np.uint8)
    vector = extract(pixels, np.ones(pixels.shape, bool), ("contrast", "outline"))
    assert np.isfinite(vector.values).all()
    assert vector.values.any()


def test_features_do_not_turn_with_a_mirror_image():
    random = np.random.default_rng(1)
    pixels = random.integers(0, 255, (SIDE, SIDE), np.uint8)
    mask = scene(0, 0)[1]
    families = ("contrast", "outline")
    mirrored = extract(pixels[:, ::-1], mask[:, ::-1], families)
    assert mirrored.values == pytest.approx(
        extract(pixels, mask, families).values, rel=1e-4, abs=1e-4
    )
