import pytest

from shared.domain.size_groups import SIZE_BANDS, size_band


@pytest.mark.parametrize(
    ("size_mm", "band"),
    [
        (None, "unknown"),
        (9.99, "under-10"),
        (10, "10-20"),
        (19.9, "10-20"),
        (20, "20-40"),
        (40, "over-40"),
        (90, "over-40"),
    ],
)
def test_a_limit_belongs_to_the_band_above_it(size_mm, band):
    assert size_band(size_mm) == band
    assert band in SIZE_BANDS
