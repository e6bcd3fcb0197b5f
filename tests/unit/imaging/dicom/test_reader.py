from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom.examples
import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian

from shared.errors import SeraError
from shared.imaging import (
    Box,
    ImageTooLarge,
    ImageUnreadable,
    Limits,
    UnsupportedImage,
    decode,
)
from shared.imaging.dicom.codestream import describe_codestream
from shared.imaging.errors import ImageTruncated
from tests.support.dicom_files import codes

TEST_FILES = Path(pydicom.__file__).parent / "data" / "test_files"
REAL = Path(__file__).parents[4].parent / "shared" / "data" / "dicom"
MAX_REFUSED_FILES = 8
"""Files of pydicom that are refused: truncated files and files of 3 x 3 pixels."""


def test_grey_comes_back_as_it_was(speckle, dicom):
    image = decode(dicom(speckle))
    assert (image.pixels == speckle).all()
    assert (image.spacing_mm, image.region, image.findings) == (None, None, ())


def test_inverse_grey_is_turned_round(speckle, dicom):
    assert (
        decode(dicom(speckle, PhotometricInterpretation="MONOCHROME1")).pixels
        == 255 - speckle
    ).all()


def test_the_first_window_is_applied(dicom):
    wide = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64)
    pixels = decode(
        dicom(wide, WindowCenter=[1000.5, 5], WindowWidth=[1001, 9])
    ).pixels.ravel()
    assert (pixels[:501] == 0).all()
    assert (pixels[1500:] == 255).all()
    assert pixels[1000] in (127, 128)


def test_rescale_comes_before_the_window(dicom):
    wide = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64)
    pixels = decode(
        dicom(
            wide,
            RescaleSlope=2,
            RescaleIntercept=-100,
            WindowCenter=1900.5,
            WindowWidth=1001,
        )
    ).pixels
    assert pixels.ravel()[1000] in (127, 128)


def test_colour_is_turned_to_grey(speckle, dicom):
    image = decode(dicom(np.repeat(speckle[..., None], 3, 2)))
    assert (image.pixels == speckle).all()


def test_a_palette_is_looked_up(speckle, dicom):
    ramp = np.arange(256, dtype=np.uint16)[::-1] * 257
    colours = {
        f"{name}PaletteColorLookupTableData": ramp.tobytes()
        for name in ("Red", "Green", "Blue")
    }
    shape = {
        f"{name}PaletteColorLookupTableDescriptor": [256, 0, 16]
        for name in ("Red", "Green", "Blue")
    }
    image = decode(
        dicom(speckle, PhotometricInterpretation="PALETTE COLOR", **shape, **colours)
    )
    assert (image.pixels == 255 - speckle).all()


def test_the_middle_frame_of_a_loop_is_read_and_reported(speckle, dicom):
    frames = np.stack([speckle // 4, speckle, speckle // 2])
    image = decode(dicom(frames, NumberOfFrames=3))
    assert (image.pixels == speckle).all()
    assert "frame 2" in image.findings[0].message


def test_missing_pixels_are_unreadable(speckle, dicom):
    with pytest.raises(ImageTruncated, match="Rows"):
        decode(dicom(speckle)[:-500])


def test_an_error_does_not_quote_the_file(speckle, dicom):
    with pytest.raises(ImageUnreadable) as refusal:
        decode(dicom(speckle, PatientName="Doe^Jane", BitsAllocated=13))
    assert "Doe" not in str(refusal.value)
    assert refusal.value.__cause__ is None


def test_a_data_set_that_inflates_beyond_bounds_is_refused(dicom):
    data = deflated(dicom(np.zeros((1200, 1200), np.uint8)))
    assert decode(data).pixels.shape == (1200, 1200)
    with pytest.raises(ImageTooLarge):
        decode(data, Limits(max_inflated_mib=1))


def deflated(data: bytes) -> bytes:
    dataset = pydicom.dcmread(BytesIO(data))
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    stream = BytesIO()
    dataset.save_as(stream)
    return stream.getvalue()


def test_a_small_header_cannot_hide_a_large_frame():
    """The header of a JPEG file is made to say less than its compressed frame unfolds to."""
    data = (TEST_FILES / "SC_rgb_jpeg_dcmtk.dcm").read_bytes()
    rows = b"\x28\x00\x10\x00US\x02\x00"
    at = data.index(rows) + len(rows)
    with pytest.raises(ImageUnreadable, match="another size"):
        decode(data[:at] + (50).to_bytes(2, "little") + data[at + 2 :])


def test_video_is_unsupported(speckle, dicom):
    dataset = pydicom.dcmread(BytesIO(dicom(speckle)))
    dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.102"
    dataset.PixelData = pydicom.encaps.encapsulate([b"\0\0\0\x01video!"])
    stream = BytesIO()
    dataset.save_as(stream)
    with pytest.raises(UnsupportedImage, match="MPEG-4"):
        decode(stream.getvalue())


@pytest.mark.parametrize("name", ["palette_color", "ybr_color", "rgb_color", "jpeg2k"])
def test_ultrasound_that_ships_with_pydicom_is_read(name):
    image = decode(pydicom.examples.get_path(name).read_bytes())
    assert image.pixels.dtype == np.uint8
    assert np.ptp(image.pixels) > 100


def test_every_file_that_ships_with_pydicom_is_read_or_refused_by_name():
    refused = []
    for path in sorted(TEST_FILES.rglob("*")):
        if path.is_file() and path.stat().st_size < 2**20:
            try:
                assert decode(path.read_bytes()).pixels.ndim == 2
            except SeraError as refusal:
                refused.append((path.name, refusal.code))
    assert {code for _, code in refused} <= {
        "image-unsupported",
        "image-unreadable",
        "image-truncated",
        "image-too-small",
    }
    images = [name for name, code in refused if code != "image-unsupported"]
    assert len(images) <= MAX_REFUSED_FILES, images


@pytest.mark.parametrize(
    "name",
    [
        "JPEG2000.dcm",
        "JPEGLSNearLossless_08.dcm",
        "JPGExtended.dcm",
        "examples_ybr_color.dcm",
        "MR_small_jp2klossless.dcm",
    ],
)
def test_compressed_frames_declare_the_size_of_the_image(name):
    dataset = pydicom.dcmread(TEST_FILES / name)
    frames = int(dataset.get("NumberOfFrames", 1))
    frame = pydicom.encaps.get_frame(dataset.PixelData, 0, number_of_frames=frames)
    assert describe_codestream(frame).size == (dataset.Columns, dataset.Rows)


def test_unknown_encodings_declare_nothing():
    assert describe_codestream(b"\x01\x02\x03\x04") is None


@pytest.mark.skipif(
    not REAL.exists(), reason="the real DICOM files are not beside the checkout"
)
def test_real_ultrasound_is_read():
    images = {path.name: decode(path.read_bytes()) for path in REAL.glob("*.dcm")}
    assert images["US1_J2KR.dcm"].pixels.shape == (480, 640)
    assert "multi-frame" in codes(images["examples_ybr_color.dcm"])
    aloka = images["gdcm-US-ALOKA-16.dcm"]
    assert aloka.region == Box(32, 24, 304, 392)
    assert aloka.spacing_mm is None
    assert _depth_mm(aloka) == pytest.approx(150, abs=0.1)


def _depth_mm(image) -> float:
    (finding,) = [
        found for found in image.findings if found.code == "scale-implausible"
    ]
    return finding.facts["depth_mm"]
