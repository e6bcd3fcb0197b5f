import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import InputError
from shared.features import (
    FAMILIES,
    EmptyRegion,
    TextureInvalid,
    TextureSettings,
    UnknownFamily,
    extract,
    feature_names,
    glcm,
)
from shared.features.region import Region, discretise

ALL = tuple(FAMILIES)


@pytest.fixture
def speckle() -> np.ndarray:
    return np.random.default_rng(5).rayleigh(60, (40, 52)).clip(0, 255).astype(np.uint8)


@pytest.fixture
def disc() -> np.ndarray:
    y, x = np.mgrid[:40, :52]
    return (y - 20) ** 2 + (x - 26) ** 2 < 200


def test_names_and_values_belong_together(speckle, disc):
    vector = extract(speckle, disc, ALL)
    assert vector.names == feature_names(ALL)
    assert vector.values.shape == (len(vector.names),)
    assert vector.values.dtype == np.float64
    assert len(set(vector.names)) == len(vector.names)
    assert {
        "glcm_contrast_avg",
        "wavelet_hh_stat_mean",
        "shape_circularity",
        "ih_entropy",
    } <= set(vector.names)


def test_families_come_in_the_requested_order(speckle, disc):
    vector = extract(speckle, disc, ("glrlm", "shape"))
    assert vector.names == feature_names(("glrlm",)) + feature_names(("shape",))


def test_pixels_outside_the_mask_do_not_matter(speckle, disc):
    changed_outside = np.where(disc, speckle, 255 - speckle)
    families = ("shape", "intensity", "glcm", "glrlm")
    assert (
        extract(speckle, disc, families).values
        == extract(changed_outside, disc, families).values
    ).all()


def test_the_position_in_the_image_does_not_matter(speckle, disc):
    families = [family for family in ALL if family not in ("contrast", "outline")]
    shifted = extract(
        np.roll(speckle, (4, 8), (0, 1)), np.roll(disc, (4, 8), (0, 1)), families
    )
    assert shifted.values == pytest.approx(extract(speckle, disc, families).values)


def test_gain_does_not_change_texture(speckle, disc):
    dim = (speckle // 2).astype(np.uint8)
    bright = (dim * 2).astype(np.uint8)
    assert (
        extract(dim, disc, ("glcm", "glrlm")).values
        == extract(bright, disc, ("glcm", "glrlm")).values
    ).all()


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 9),
    st.integers(1, 9),
    st.integers(0, 2**32 - 1),
    st.sampled_from([1, 2, 256]),
)
def test_every_feature_is_finite_down_to_one_pixel_and_one_grey_level(
    height, width, seed, grey_levels
):
    rng = np.random.default_rng(seed)
    mask = rng.random((height, width)) < 0.5
    mask[height // 2, width // 2] = True
    vector = extract(
        rng.integers(0, grey_levels, (height, width)).astype(np.uint8), mask, ALL
    )
    assert np.isfinite(vector.values).all()


def test_an_empty_mask_is_refused(speckle):
    with pytest.raises(EmptyRegion) as refusal:
        extract(speckle, np.zeros(speckle.shape, bool), ALL)
    assert refusal.value.code == "region-empty"
    assert isinstance(refusal.value, InputError)


def test_an_unknown_family_is_named(speckle, disc):
    with pytest.raises(UnknownFamily, match="fractal"):
        extract(speckle, disc, ("fractal",))


@pytest.mark.parametrize(
    ("levels", "distance"), [(2, 1), (16, 3), (256, 1), (256, 40), (65535, 2)]
)
def test_levels_and_distance_change_no_names_and_are_in_the_vector(
    speckle, disc, levels, distance
):
    vector = extract(speckle, disc, ALL, levels=levels, distance=distance)
    assert vector.names == feature_names(ALL)
    assert vector.texture == TextureSettings(levels, distance)
    assert np.isfinite(vector.values).all()


def test_texture_is_measured_with_the_given_levels_and_distance(speckle, disc):
    vector = extract(speckle, disc, ("intensity", "glcm"), levels=64, distance=2)
    values_by_name = dict(zip(vector.names, vector.values, strict=True))
    levels_image = discretise(Region.from_mask(speckle, disc), 64)
    assert values_by_name["ih_max"] == 64
    assert values_by_name["glcm_contrast_avg"] == pytest.approx(
        glcm.glcm_features(levels_image, 64, 2)["contrast_avg"]
    )
    by_default = extract(speckle, disc, ("intensity", "glcm"))
    assert by_default.texture == TextureSettings(levels=16, distance=1)
    assert (
        by_default.values
        == extract(speckle, disc, ("intensity", "glcm"), levels=16, distance=1).values
    ).all()


def test_shape_and_statistics_do_not_depend_on_the_levels(speckle, disc):
    coarse, fine = (
        extract(speckle, disc, ("shape", "intensity"), levels=levels)
        for levels in (4, 256)
    )
    unchanged = [
        name
        for name, a, b in zip(coarse.names, coarse.values, fine.values, strict=True)
        if a == b
    ]
    assert {name for name in coarse.names if not name.startswith("ih_")} <= set(
        unchanged
    )


@pytest.mark.parametrize("options", [{"levels": 1}, {"levels": 65536}, {"distance": 0}])
def test_invalid_texture_settings_are_refused(speckle, disc, options):
    with pytest.raises(TextureInvalid, match="2 to 65535 levels"):
        extract(speckle, disc, ALL, **options)
