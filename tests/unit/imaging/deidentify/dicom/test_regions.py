from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import JPEG2000Lossless, RLELossless

from shared.imaging import ImageTooLarge, Limits, decode
from shared.imaging.deidentify import clean
from shared.imaging.errors import ImageTruncated
from tests.support.builders import dicom_file

KEY = b"key"
REAL = Path(__file__).parents[5].parent / "shared" / "data" / "dicom"
PIXELS = np.random.default_rng(2).integers(60, 200, (64, 96)).astype(np.uint8)


def region(left, top, right, bottom, spatial_format=1) -> Dataset:
    item = Dataset()
    item.RegionSpatialFormat = spatial_format
    item.RegionDataType = 1
    item.RegionLocationMinX0 = left
    item.RegionLocationMinY0 = top
    item.RegionLocationMaxX1 = right
    item.RegionLocationMaxY1 = bottom
    return item


TWO = [region(4, 6, 30, 40), region(20, 30, 59, 45)]
INSIDE = np.zeros((64, 96), bool)
INSIDE[6:41, 4:31] = INSIDE[30:46, 20:60] = True


def frames(data: bytes) -> np.ndarray:
    return pydicom.dcmread(BytesIO(data)).pixel_array


def compressed(data: bytes, syntax, **options) -> bytes:
    dataset = pydicom.dcmread(BytesIO(data))
    dataset.compress(syntax, **options)
    stream = BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def test_outside_the_union_of_regions_everything_is_black_and_inside_as_it_was():
    cleaned = clean(dicom_file(PIXELS, SequenceOfUltrasoundRegions=TWO), KEY)
    assert (frames(cleaned.data) == np.where(INSIDE, PIXELS, 0)).all()
    assert cleaned.removed["pixels-outside-regions"] == 1


def test_every_frame_of_a_loop_is_blanked():
    loop = np.stack([PIXELS, PIXELS // 2, PIXELS // 3])
    cleaned = clean(
        dicom_file(loop, NumberOfFrames=3, SequenceOfUltrasoundRegions=TWO), KEY
    )
    assert (frames(cleaned.data) == np.where(INSIDE, loop, 0)).all()


def test_black_is_what_the_picture_shows_as_black():
    inverse = dicom_file(
        PIXELS, PhotometricInterpretation="MONOCHROME1", SequenceOfUltrasoundRegions=TWO
    )
    assert (decode(clean(inverse, KEY).data).pixels[~INSIDE] == 0).all()
    planes = np.repeat(PIXELS[None], 3, 0)
    data = dicom_file(
        np.repeat(PIXELS[..., None], 3, 2), SequenceOfUltrasoundRegions=TWO
    )
    dataset = pydicom.dcmread(BytesIO(data))
    dataset.PlanarConfiguration = 1
    dataset.PixelData = planes.tobytes()
    stream = BytesIO()
    dataset.save_as(stream)
    for coloured in (data, stream.getvalue()):
        pixels = decode(clean(coloured, KEY).data).pixels
        assert (pixels == np.where(INSIDE, PIXELS, 0)).all()


def test_a_compressed_loop_stays_compressed_without_loss():
    loop = np.stack([PIXELS, PIXELS // 2])
    plain = dicom_file(
        loop, NumberOfFrames=2, SequenceOfUltrasoundRegions=TWO, PatientName="Doe"
    )
    cleaned = clean(
        compressed(plain, JPEG2000Lossless, encoding_plugin="pylibjpeg"), KEY
    )
    assert (
        pydicom.dcmread(BytesIO(cleaned.data)).file_meta.TransferSyntaxUID
        == JPEG2000Lossless
    )
    assert (frames(cleaned.data) == np.where(INSIDE, loop, 0)).all()
    assert cleaned.removed["PatientName"] == 1


def test_run_length_coding_is_decoded_and_colours_stay():
    colours = np.random.default_rng(3).integers(0, 255, (64, 96, 3)).astype(np.uint8)
    cleaned = clean(compressed(dicom_file(colours), RLELossless), KEY)
    assert (frames(cleaned.data) == colours).all()


def test_regions_that_do_not_fit_the_image_or_show_no_image_blank_nothing():
    for regions in (
        [region(4, 6, 300, 40)],
        [region(4, 6, 30, 40, spatial_format=4)],
        [region(0, 0, 95, 63)],
    ):
        cleaned = clean(dicom_file(PIXELS, SequenceOfUltrasoundRegions=regions), KEY)
        assert (frames(cleaned.data) == PIXELS).all()
        assert "pixels-outside-regions" not in cleaned.removed


@pytest.mark.parametrize(
    ("spatial_format", "data_type"), [(0, 1), (1, 0), (2, 1), (3, 3), (4, 10), (5, 13)]
)
def test_a_region_that_is_no_picture_of_tissue_keeps_no_banner(
    spatial_format, data_type
):
    """No data, a spectrum, a strip, a trace or a bar of greys (PS3.3, C.8.5.5.1)."""
    banner = region(0, 0, 95, 7, spatial_format)
    banner.RegionDataType = data_type
    data = dicom_file(
        PIXELS, SequenceOfUltrasoundRegions=[banner, region(0, 8, 95, 63)]
    )
    pixels = decode(clean(data, KEY).data).pixels
    assert (pixels[:8] == 0).all()
    assert (pixels[8:] == PIXELS[8:]).all()


def test_doppler_on_the_tissue_is_kept():
    flow = region(0, 0, 60, 30)
    flow.RegionDataType = 2
    data = dicom_file(PIXELS, SequenceOfUltrasoundRegions=[flow, region(0, 20, 95, 63)])
    pixels = decode(clean(data, KEY).data).pixels
    assert (pixels[:20, :61] == PIXELS[:20, :61]).all()
    assert (pixels[:20, 61:] == 0).all()


@pytest.mark.parametrize("keyword", ["FloatPixelData", "DoubleFloatPixelData"])
def test_pixels_of_floating_point_are_blanked_too(keyword):
    values = PIXELS.astype("<f4" if keyword == "FloatPixelData" else "<f8")
    dataset = pydicom.dcmread(
        BytesIO(dicom_file(PIXELS, SequenceOfUltrasoundRegions=TWO))
    )
    del dataset.PixelData
    setattr(dataset, keyword, values.tobytes())
    stream = BytesIO()
    dataset.save_as(stream)
    cleaned = frames(clean(stream.getvalue(), KEY).data)
    assert (cleaned[INSIDE] == PIXELS[INSIDE]).all()
    assert (cleaned[~INSIDE] == PIXELS.min()).all()


def test_a_loop_that_unfolds_beyond_bounds_is_refused():
    loop = np.zeros((20, 256, 256), np.uint8)
    data = dicom_file(
        loop, NumberOfFrames=20, SequenceOfUltrasoundRegions=[region(4, 6, 30, 40)]
    )
    coded = compressed(data, JPEG2000Lossless, encoding_plugin="pylibjpeg")
    with pytest.raises(ImageTooLarge):
        clean(coded, KEY, Limits(max_inflated_mib=1))


@pytest.mark.parametrize("elements", [{}, {"SequenceOfUltrasoundRegions": TWO}])
def test_uncompressed_pixels_that_are_cut_short_are_refused_before_anything_is_decoded(
    elements,
):
    with pytest.raises(ImageTruncated, match="6142 bytes"):
        clean(dicom_file(PIXELS, PixelData=PIXELS.tobytes()[:-2], **elements), KEY)
    loop = dicom_file(PIXELS, NumberOfFrames=2, **elements)
    with pytest.raises(ImageTruncated, match="asks for 12288"):
        clean(loop, KEY)


@pytest.mark.skipif(not REAL.exists(), reason="../shared/data is not here")
def test_a_real_file_keeps_its_three_regions_and_loses_the_rest():
    data = (REAL / "gdcm-US-ALOKA-16.dcm").read_bytes()
    original = decode(data).pixels
    cleaned = decode(clean(data, KEY).data).pixels
    assert (cleaned[24:416, 32:640] == original[24:416, 32:640]).all()
    assert cleaned[:24].max() == cleaned[416:].max() == cleaned[0, 0]
