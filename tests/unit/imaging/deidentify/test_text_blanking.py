from io import BytesIO

import cv2
import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.uid import JPEG2000Lossless, RLELossless

from shared.imaging import Box, ImageFormat, UltrasoundImage, decode, inspect
from shared.imaging.deidentify import (
    blank_text,
    burnt_in_text,
    clean,
    clean_and_paint,
)
from shared.imaging.deidentify.text import find_text_lines
from shared.imaging.deidentify.tissue import tissue_mask
from shared.phantoms import draw
from tests.support.builders import dicom_file, encode

KEY = b"key"
BANNER_PX = 40
BLANKED = ("text-blanked", {"lines": 1})


def screen(text: str = "DOE JANE 1970", background: int = 0) -> np.ndarray:
    """A banner above a phantom with caliper letters and a mark on it."""
    banner = np.full((BANNER_PX, 300), background, np.uint8)
    letters = 230 - background
    cv2.putText(banner, text, (8, 24), cv2.FONT_HERSHEY_SIMPLEX, 0.5, letters)
    tissue = draw(3, size_px=300).pixels.copy()
    cv2.rectangle(tissue, (40, 200), (150, 230), 0, -1)
    cv2.putText(tissue, "D1 14mm", (44, 222), cv2.FONT_HERSHEY_SIMPLEX, 0.5, 230)
    return np.vstack([banner, tissue])


def findings(cleaned) -> list[tuple[str, dict]]:
    return [(finding.code, dict(finding.facts)) for finding in cleaned.findings]


def check_blanked(data: bytes, original: np.ndarray) -> np.ndarray:
    """Check that the banner's text is gone and the tissue is as it was; return the pixels."""
    pixels = decode(data).pixels
    assert find_text_lines(pixels[:BANNER_PX]) == ()
    assert (pixels[BANNER_PX:] == original[BANNER_PX:]).all()
    return pixels


@pytest.mark.parametrize("background", [0, 255])
@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF"])
def test_text_beside_the_tissue_of_a_raster_file_is_painted_over(kind, background):
    pixels = screen(background=background)
    stream = BytesIO()
    Image.fromarray(pixels).save(stream, kind)
    cleaned = clean_and_paint(stream.getvalue(), KEY)
    check_blanked(cleaned.data, pixels)
    assert inspect(BytesIO(cleaned.data)).format is ImageFormat.PNG
    assert findings(cleaned) == [BLANKED]
    assert cleaned.removed["burnt-in-text"] == 1


def test_a_turned_photo_becomes_an_upright_picture():
    pixels = screen()
    stream = BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.rot90(pixels).copy()).save(stream, "PNG", exif=exif)
    check_blanked(clean_and_paint(stream.getvalue(), KEY).data, pixels)


@pytest.mark.parametrize("syntax", [None, JPEG2000Lossless, RLELossless])
@pytest.mark.parametrize("bits", [8, 16])
def test_text_beside_the_tissue_of_a_dicom_file_is_painted_over(bits, syntax):
    pixels = screen().astype(np.uint16) * (257 if bits == 16 else 1)
    data = dicom_file(pixels.astype(f"u{bits // 8}"), PatientName="Doe")
    original = decode(data).pixels
    if syntax is not None:
        data = compressed(data, syntax)
    cleaned = clean_and_paint(data, KEY)
    check_blanked(cleaned.data, original)
    assert findings(cleaned) == [BLANKED]
    assert cleaned.removed["PatientName"] == 1


def test_the_black_of_an_inverted_dicom_file_is_its_own():
    data = dicom_file(255 - screen(), PhotometricInterpretation="MONOCHROME1")
    check_blanked(clean_and_paint(data, KEY).data, decode(data).pixels)


def test_a_colour_dicom_file_stays_in_colour():
    pixels = np.repeat(screen()[..., None], 3, axis=2)
    pixels[100:120, 100:120] = (200, 30, 30)
    data = dicom_file(pixels)
    cleaned = clean_and_paint(data, KEY)
    check_blanked(cleaned.data, decode(data).pixels)
    assert pydicom.dcmread(BytesIO(cleaned.data)).SamplesPerPixel == 3


def test_text_of_any_frame_of_a_loop_is_painted_over_in_all():
    frames = np.stack([screen("DOE JANE"), screen(""), screen("")])
    cleaned = clean_and_paint(dicom_file(frames, NumberOfFrames=3), KEY)
    for number, frame in enumerate(frames, start=1):
        pixels = decode(cleaned.data, frame=number).pixels
        assert find_text_lines(pixels[:BANNER_PX]) == ()
        assert (pixels[BANNER_PX:] == frame[BANNER_PX:]).all()
    assert BLANKED in findings(cleaned)


def test_text_that_covers_tissue_of_another_frame_stays():
    tissue = draw(5, size_px=340).pixels[:, :300]
    frames = np.stack([screen("DOE JANE"), tissue])
    data = dicom_file(frames, NumberOfFrames=2)
    cleaned = clean_and_paint(data, KEY)
    assert cleaned.data == clean(data, KEY).data


def test_a_file_without_text_beside_the_tissue_is_only_cleaned():
    for pixels in (draw(3, size_px=300).pixels, screen("")):
        data = encode(pixels)
        cleaned = clean_and_paint(data, KEY)
        assert cleaned.data == clean(data, KEY).data
        assert cleaned.findings == ()


@pytest.mark.parametrize("frame_count", [1, 3])
def test_text_whose_painting_would_change_the_tissue_stays_with_a_finding(frame_count):
    """Signed values of 16 bits are stretched, so the tissue becomes brighter without the text."""
    plain = screen("").astype(np.int16)
    named = screen().astype(np.int16)
    named[:BANNER_PX] *= 4
    plain -= 1
    named -= 1
    frames = np.stack([named, *[plain] * (frame_count - 1)])
    data = dicom_file(frames, NumberOfFrames=frame_count, PixelRepresentation=1)
    cleaned = clean_and_paint(data, KEY)
    assert cleaned.data == clean(data, KEY).data
    assert ("text-not-blanked", {"lines": 1}) in findings(cleaned)
    assert cleaned.removed["burnt-in-text"] == 0


def test_the_same_file_gives_the_same_result():
    data = dicom_file(screen())
    first, second = (clean_and_paint(data, KEY) for _ in range(2))
    assert first.data == second.data


def test_what_a_png_no_longer_shows_is_a_finding():
    pixels = np.repeat(screen()[..., None], 3, axis=2)
    pixels[60:200, 60:200] = (220, 30, 30)
    cleaned = clean_and_paint(encode(pixels), KEY)
    codes = [code for code, _ in findings(cleaned)]
    assert codes == ["colour-overlay", "text-blanked"]


def test_a_preview_shows_what_will_be_stored():
    pixels = screen()
    image = blank_text(UltrasoundImage(pixels, ImageFormat.PNG))
    assert (
        image.pixels == decode(clean_and_paint(encode(pixels), KEY).data).pixels
    ).all()
    assert [finding.code for finding in image.findings] == ["text-blanked"]
    [finding] = burnt_in_text(image)
    assert finding.facts == {"lines": 1, "lines_on_tissue": 1}


def test_letters_in_a_named_region_stay():
    item = Dataset()
    item.RegionSpatialFormat = item.RegionDataType = 1
    item.RegionLocationMinX0 = item.RegionLocationMinY0 = 0
    item.RegionLocationMaxX1 = 299
    item.RegionLocationMaxY1 = 330
    data = dicom_file(screen(), SequenceOfUltrasoundRegions=[item])
    assert clean_and_paint(data, KEY).findings == ()


@pytest.mark.parametrize("gap_px", [0, 60])
def test_both_panels_of_a_picture_are_tissue(gap_px):
    panel = draw(2, size_px=200).pixels
    gap = np.zeros((200, gap_px), np.uint8)
    pixels = np.hstack([panel, gap, panel])
    mask = tissue_mask(pixels, None, ())
    assert mask[:, :200].mean() > 0.9
    assert mask[:, 200 + gap_px :].mean() > 0.9


def test_a_region_and_textured_areas_beside_it_are_tissue():
    panel = draw(2, size_px=200).pixels
    pixels = np.hstack([panel, np.zeros((200, 60), np.uint8), panel])
    mask = tissue_mask(pixels, Box(0, 0, 200, 200), ())
    assert mask[:, :200].all()
    assert mask[:, 260:].mean() > 0.9


def compressed(data: bytes, syntax) -> bytes:
    dataset = pydicom.dcmread(BytesIO(data))
    plugin = "pydicom" if syntax == RLELossless else "pylibjpeg"
    dataset.compress(syntax, encoding_plugin=plugin)
    stream = BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()
