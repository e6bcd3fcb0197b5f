from io import BytesIO

import numpy as np
import pytest
from pydicom.uid import JPEG2000Lossless

from shared.imaging import Box, decode, inspect
from shared.imaging.deidentify import clean_and_paint, parse_covers
from shared.imaging.deidentify.covers import (
    MAX_COVERS,
    CoverFailed,
    CoversInvalid,
)
from tests.support.builders import dicom_file, encode
from tests.unit.imaging.deidentify.test_text_blanking import compressed, screen

KEY = b"key"
COVER = Box(x=0, y=0, width=140, height=40)


def covered(pixels: np.ndarray) -> np.ndarray:
    expected = pixels.copy()
    expected[:40, :140] = 0
    return expected


def test_a_covered_area_of_a_raster_file_is_black_and_the_rest_as_it_was():
    pixels = screen()
    cleaned = clean_and_paint(encode(pixels), KEY, blanks_text=False, covers=[COVER])
    assert (decode(cleaned.data).pixels == covered(pixels)).all()
    assert [finding.code for finding in cleaned.findings] == ["area-covered"]
    assert cleaned.removed["area-covered"] == 1


@pytest.mark.parametrize("syntax", [None, JPEG2000Lossless])
def test_a_covered_area_is_black_in_every_frame_of_a_loop(syntax):
    frames = np.stack([screen("DOE JANE"), screen("ROE JOHN"), screen("")])
    data = dicom_file(frames, NumberOfFrames=3, PatientName="Doe")
    if syntax is not None:
        data = compressed(data, syntax)
    cleaned = clean_and_paint(data, KEY, blanks_text=False, covers=[COVER])
    assert inspect(BytesIO(cleaned.data)).frames == 3
    for number, frame in enumerate(frames, start=1):
        pixels = decode(cleaned.data, frame=number).pixels
        assert (pixels == covered(frame)).all()


def test_text_and_covered_areas_are_painted_together():
    pixels = screen()
    area = Box(x=200, y=200, width=50, height=30)
    cleaned = clean_and_paint(encode(pixels), KEY, covers=[area])
    shown = decode(cleaned.data).pixels
    assert not shown[200:230, 200:250].any()
    codes = [finding.code for finding in cleaned.findings]
    assert codes == ["text-blanked", "area-covered"]


def test_an_image_that_cannot_be_covered_without_changing_it_is_refused(monkeypatch):
    monkeypatch.setattr(
        "shared.imaging.deidentify.text_blanking._is_painted", lambda *_: False
    )
    with pytest.raises(CoverFailed):
        clean_and_paint(encode(screen()), KEY, covers=[COVER])


def test_boxes_are_read_in_whole_pixels():
    assert parse_covers("[[0.5, 2, 10.2, 4]]") == (Box(x=0, y=2, width=11, height=4),)


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "{}",
        "no json",
        "[[1, 2, 3]]",
        "[[1, 2, 3, true]]",
        "[[-1, 2, 3, 4]]",
        "[[1, 2, 0, 4]]",
        "[[1, 2, 3, 1e999]]",
        str([[1, 1, 9, 9]] * (MAX_COVERS + 1)),
    ],
)
def test_what_is_no_list_of_boxes_is_refused(text):
    with pytest.raises(CoversInvalid):
        parse_covers(text)


def test_a_box_that_reaches_out_of_the_image_is_refused():
    with pytest.raises(CoversInvalid):
        clean_and_paint(
            encode(screen()), KEY, covers=[Box(x=290, y=0, width=20, height=9)]
        )
