import numpy as np
import pytest

from shared.guidelines.lexicon import Composition, Echogenicity, Focus, Orientation
from shared.phantoms import draw

DARK = {Echogenicity.HYPOECHOIC, Echogenicity.VERY_HYPOECHOIC}
SERIES = [draw(seed, size_px=128) for seed in range(120)]


@pytest.mark.parametrize("size_px", [64, 256, 300])
def test_pixels_and_mask_have_the_requested_size(size_px):
    phantom = draw(1, size_px=size_px)
    assert phantom.pixels.shape == phantom.mask.shape == (size_px, size_px)
    assert (phantom.pixels.dtype, phantom.mask.dtype) == (np.uint8, bool)


def test_the_same_seed_draws_the_same_pixels():
    first = draw(7)
    second = draw(7)
    assert (first.pixels == second.pixels).all()
    assert (first.malignant, first.size_mm, first.descriptors) == (
        second.malignant,
        second.size_mm,
        second.descriptors,
    )


def test_another_seed_draws_another_nodule():
    assert (draw(7).pixels != draw(8).pixels).mean() > 0.5


def test_asking_for_the_class_that_the_seed_has_changes_nothing():
    undetermined = draw(11)
    assert (
        draw(11, malignant=undetermined.malignant).pixels == undetermined.pixels
    ).all()


def test_calipers_change_only_a_few_pixels():
    without_calipers = draw(5)
    with_calipers = draw(5, caliper=True)
    changed = (without_calipers.pixels != with_calipers.pixels).mean()
    assert 0 < changed < 0.01
    assert (
        with_calipers.pixels[without_calipers.pixels != with_calipers.pixels] == 255
    ).all()
    assert (without_calipers.mask == with_calipers.mask).all()


def test_sizes_are_those_of_nodules_and_agree_with_mask_and_spacing():
    for phantom in SERIES:
        extent_px = max(
            np.ptp(np.flatnonzero(phantom.mask.any(axis))) + 1 for axis in (0, 1)
        )
        assert 5 <= phantom.size_mm <= 40
        assert extent_px * phantom.spacing_mm == pytest.approx(phantom.size_mm)


def test_the_mask_lies_within_the_image():
    for phantom in SERIES:
        assert 0.05 < phantom.mask.mean() < 0.5
        edges = np.concatenate(
            [phantom.mask[[0, -1]].ravel(), phantom.mask[:, [0, -1]].ravel()]
        )
        assert not edges.any()


def test_both_classes_occur():
    assert 0.3 < np.mean([phantom.malignant for phantom in SERIES]) < 0.7


def test_classes_overlap_as_the_lexicon_does():
    suspicious = [phantom.descriptors.echogenicity in DARK for phantom in SERIES]
    malignant = np.array([phantom.malignant for phantom in SERIES])
    shares = [
        np.mean(np.array(suspicious)[malignant == is_malignant])
        for is_malignant in (False, True)
    ]
    assert 0.05 < shares[0] < shares[1] < 0.99


def test_dark_descriptors_make_dark_nodules():
    contrast = {level: [] for level in Echogenicity}
    for phantom in SERIES:
        if (
            phantom.descriptors.composition is Composition.SOLID
            and not phantom.descriptors.foci
        ):
            tissue_mean = phantom.pixels[40:100][~phantom.mask[40:100]].mean()
            contrast[phantom.descriptors.echogenicity].append(
                phantom.pixels[phantom.mask].mean() - tissue_mean
            )
    assert (
        np.mean(contrast[Echogenicity.VERY_HYPOECHOIC])
        < np.mean(contrast[Echogenicity.HYPOECHOIC]) - 10
    )
    assert (
        np.mean(contrast[Echogenicity.HYPOECHOIC])
        < np.mean(contrast[Echogenicity.ISOECHOIC]) - 10
    )


def test_cysts_are_black():
    cysts = [
        phantom
        for phantom in SERIES
        if phantom.descriptors.composition is Composition.CYSTIC
    ]
    assert cysts
    for cyst in cysts:
        assert np.median(cyst.pixels[cyst.mask]) < 0.5 * np.median(
            cyst.pixels[~cyst.mask]
        )


def test_a_taller_orientation_makes_a_taller_mask():
    for phantom in SERIES:
        height, width = (
            np.ptp(np.flatnonzero(phantom.mask.any(axis))) + 1 for axis in (1, 0)
        )
        if phantom.descriptors.orientation is Orientation.TALLER:
            assert height > 0.95 * width
        else:
            assert width > 0.95 * height


def test_bright_foci_are_bright():
    for phantom in SERIES:
        solid = phantom.descriptors.composition is Composition.SOLID
        if solid and Focus.MACROCALCIFICATION in phantom.descriptors.foci:
            assert phantom.pixels[phantom.mask].max() > 150
