"""One picture in every container, depth, polarity and encoding: equal pixels and equal risk.

The right picture is the array that the file was made of. Pillow's decode of the bare codestream and
DCMTK's rendering are second opinions; where they differ from it, that is listed here.
"""

from functools import cache
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from shared.cases.prepare import prepare
from shared.imaging import Roi, decode
from shared.imaging.deidentify import clean
from shared.learning import recipe_framing
from tests.support.builders import small_model
from tests.support.containers import dcmtk
from tests.support.containers.container import (
    LOSSY_LEVELS,
    Container,
    grey_picture,
    luma,
    tinted_picture,
)
from tests.support.containers.dcmtk_files import (
    lossless_dcmtk_containers,
    lossy_dcmtk_containers,
)
from tests.support.containers.dicom_files import (
    codestream,
    encapsulated_containers,
    uncompressed_containers,
    wrong_jpeg_headers,
)
from tests.support.containers.raster_files import jpeg_containers, raster_containers

KEY = b"k" * 32
ROI = Roi.parse({"box": [20, 20, 100, 80]})
LOSSLESS = (
    *raster_containers(),
    *uncompressed_containers(),
    *encapsulated_containers(),
)
NOT_RENDERED_BY_DCMTK = ("j2k", "htj2k")
"""Debian's DCMTK has no decoder of JPEG 2000."""
DIFFERS_IN_DCMTK = {
    "dicom-palette-8-in-16": "it shows 16-bit palette entries up to 255 as black",
}
needs_dcmtk = pytest.mark.skipif(
    not dcmtk.is_installed(), reason="needs Debian's package dcmtk"
)


def name(container: Container) -> str:
    return container.name


@cache
def dcmtk_lossless() -> tuple[Container, ...]:
    return tuple(lossless_dcmtk_containers())


@cache
def reference_score(picture: bytes) -> float:
    """The score of a picture of the matrix' size, sent as 8-bit grey PNG."""
    height, width = grey_picture().shape
    pixels = np.frombuffer(picture, np.uint8).reshape(height, width)
    stream = BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return score(stream.getvalue())


def score(data: bytes) -> float:
    model = small_model()
    nodule = prepare(data, recipe_framing(model.recipe), roi=ROI)
    return model.predict([nodule])[0].score


def check_picture(container: Container, data: bytes) -> None:
    assert container.expected is not None
    image = decode(data)
    np.testing.assert_array_equal(image.pixels, container.expected)


@pytest.mark.parametrize("container", LOSSLESS, ids=name)
def test_lossless_file_gives_equal_pixels_and_equal_risk(container):
    check_picture(container, container.data)
    codes = {finding.code for finding in decode(container.data).findings}
    assert codes == container.findings
    assert container.expected is not None
    assert score(container.data) == reference_score(container.expected.tobytes())


@pytest.mark.parametrize("container", LOSSLESS, ids=name)
def test_deidentified_lossless_file_gives_equal_pixels(container):
    check_picture(container, clean(container.data, KEY).data)


@needs_dcmtk
def test_lossless_files_of_dcmtk_give_equal_pixels():
    for container in dcmtk_lossless():
        check_picture(container, container.data)
        check_picture(container, clean(container.data, KEY).data)


@needs_dcmtk
def test_dcmtk_shows_the_same_pictures():
    """Its own inversion of MONOCHROME1 differs by a rounding of one level."""
    differing = set()
    for container in (*uncompressed_containers(), *encapsulated_containers()):
        if any(part in container.name for part in NOT_RENDERED_BY_DCMTK):
            continue
        picture = dcmtk.rendered(container.data)
        assert picture is not None, container.name
        if largest_difference(picture, container.expected) > 1:
            differing.add(container.name)
    assert differing == set(DIFFERS_IN_DCMTK)


@pytest.mark.parametrize("container", tuple(jpeg_containers()), ids=name)
def test_jpeg_file_is_what_pillow_decodes(container):
    oracle = np.asarray(Image.open(BytesIO(container.data)).convert("L"))
    for data in (container.data, clean(container.data, KEY).data):
        assert largest_difference(decode(data).pixels, oracle) <= LOSSY_LEVELS


@needs_dcmtk
def test_lossy_files_of_dcmtk_are_what_it_shows():
    for container in lossy_dcmtk_containers():
        oracle = dcmtk.rendered(container.data)
        for data in (container.data, clean(container.data, KEY).data):
            difference = largest_difference(decode(data).pixels, oracle)
            assert difference <= LOSSY_LEVELS, container.name


@pytest.mark.parametrize("container", tuple(wrong_jpeg_headers()), ids=name)
def test_jpeg_frame_decides_over_its_dicom_header(container):
    """Where the stream itself says nothing about its colours, the header's word holds."""
    oracle = np.asarray(Image.open(BytesIO(codestream(container.data))).convert("L"))
    image = decode(container.data)
    assert largest_difference(image.pixels, oracle) <= LOSSY_LEVELS
    assert largest_difference(image.pixels, luma(tinted_picture())) < 10


def test_the_matrix_is_large():
    names = [container.name for container in LOSSLESS]
    assert len(set(names)) == len(names) >= 120


def largest_difference(pixels: np.ndarray, other: np.ndarray | None) -> int:
    assert other is not None
    assert pixels.shape == other.shape
    return int(np.abs(pixels.astype(int) - other).max())
