"""The regions over the image of a case."""

from types import SimpleNamespace

import pytest

from services.api.web.pages.case import outlines
from shared.domain.results.result import ReadRoi
from shared.domain.results.roi_source import RoiSource
from tests.support.builders import result

OWN = ((1.0, 2.0), (30.0, 2.0), (20.0, 40.0))
BOX = {"box": [0, 0, 40, 50]}


def read(source: RoiSource, polygon=None) -> ReadRoi:
    return ReadRoi(box=(0, 0, 40, 50), source=source, polygon=polygon)


@pytest.mark.parametrize(
    ("given", "roi", "styles"),
    [
        (None, None, []),
        (BOX, None, ["read"]),
        (BOX, read(RoiSource.READER), ["read"]),
        (BOX, read(RoiSource.READER, OWN), ["read", "given"]),
        (None, read(RoiSource.NETWORK, OWN), ["read"]),
        (
            {"polygon": [[1, 2], [30, 2], [20, 40]]},
            read(RoiSource.READER, OWN),
            ["read"],
        ),
        (
            {"polygon": [[0, 0], [40, 0], [20, 50]]},
            read(RoiSource.READER, OWN),
            ["read", "given"],
        ),
    ],
)
def test_the_given_region_stands_beside_an_outline_of_seras_own_only(
    given, roi, styles
):
    regions = outlines(SimpleNamespace(roi=given), result(roi=roi))
    assert [region["style"] for region in regions] == styles
    if roi and roi.polygon:
        assert regions[0]["region"] == {"polygon": OWN}
