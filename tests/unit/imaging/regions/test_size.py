import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.imaging import Roi, diameter_mm
from shared.phantoms import draw

spacings = st.tuples(st.floats(0.01, 1.5), st.floats(0.01, 1.5))
rois = st.one_of(
    st.builds(
        lambda x, y, w, h: Roi(box=(x, y, w, h)),
        *[st.floats(0, 300)] * 2,
        *[st.floats(8, 300)] * 2,
    ),
    st.lists(
        st.tuples(st.floats(0, 400), st.floats(0, 400)), min_size=3, max_size=12
    ).map(lambda points: Roi(polygon=tuple(points))),
)


def test_a_box_measures_its_longer_side():
    assert diameter_mm(Roi(box=(5, 5, 100, 40)), (0.1, 0.1)) == pytest.approx(10)
    assert diameter_mm(Roi(box=(5, 5, 100, 40)), (0.5, 0.1)) == pytest.approx(20)


def test_a_polygon_measures_between_its_farthest_corners():
    slanted = Roi(polygon=((0, 0), (30, 40), (20, 10)))
    assert diameter_mm(slanted, (0.1, 0.1)) == pytest.approx(5)
    assert diameter_mm(slanted, (0.2, 0.1)) == pytest.approx((3**2 + 8**2) ** 0.5)


def test_corners_on_one_line_and_repeated_corners_are_measured_too():
    assert diameter_mm(
        Roi(polygon=((1, 1), (1, 1), (1, 11), (1, 6))), (0.3, 0.1)
    ) == pytest.approx(3)


@given(rois, spacings, st.floats(0.1, 10))
def test_the_measure_scales_with_the_spacing(roi, spacing, factor):
    scaled = (spacing[0] * factor, spacing[1] * factor)
    assert diameter_mm(roi, scaled) == pytest.approx(
        factor * diameter_mm(roi, spacing), rel=1e-5, abs=1e-6
    )


@given(rois, spacings)
def test_coarser_rows_never_make_a_nodule_smaller(roi, spacing):
    coarser = (2 * spacing[0], spacing[1])
    assert diameter_mm(roi, coarser) >= diameter_mm(roi, spacing) * (1 - 1e-5)


def test_the_mask_of_a_phantom_measures_its_size():
    for seed in range(8):
        phantom = draw(seed)
        measured_size_mm = diameter_mm(
            Roi.from_mask(phantom.mask), (phantom.spacing_mm,) * 2
        )
        assert phantom.size_mm * 0.95 <= measured_size_mm <= phantom.size_mm * 1.15
