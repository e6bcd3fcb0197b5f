"""Every encoding of DICOM pixels that the installed decoders read.

The files come from the pydicom wheel or are built here.
"""

from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pydicom
import pytest
from pydicom.encaps import encapsulate
from pydicom.uid import (
    JPEG2000,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    RLELossless,
)

from shared.imaging import decode

FILES = Path(pydicom.__file__).parent / "data" / "test_files"
LOSSY_GREY = 8
"""Largest difference in grey levels of a lossy or subsampled copy of the colour bars."""


def decode_test_file(name: str) -> np.ndarray:
    return decode((FILES / name).read_bytes()).pixels


@pytest.mark.parametrize(
    "name",
    [
        "MR_small_implicit.dcm",
        "MR_small_bigendian.dcm",
        "MR_small_expb.dcm",
        "MR_small_padded.dcm",
        "MR_small_RLE.dcm",
        "MR_small_jp2klossless.dcm",
        "MR_small_jpeg_ls_lossless.dcm",
    ],
)
def test_one_image_of_16_bits_is_the_same_in_every_lossless_encoding(name):
    assert (decode_test_file(name) == decode_test_file("MR_small.dcm")).all()


@pytest.mark.parametrize(
    "name",
    [
        "SC_rgb_gdcm_KY.dcm",
        "SC_rgb_jpeg_gdcm.dcm",
        "SC_rgb_rle_16bit.dcm",
        "SC_rgb_rle_32bit.dcm",
    ],
)
def test_the_same_colour_bars_are_the_same_grey_in_every_lossless_encoding(name):
    """JPEG 2000, JPEG lossless (process 14), RLE of more than 8 bits."""
    assert (decode_test_file(name) == decode_test_file("SC_rgb_rle.dcm")).all()


@pytest.mark.parametrize(
    "name",
    [
        "SC_ybr_full_422_uncompressed.dcm",
        "SC_rgb_dcmtk_+eb+cr.dcm",
        "SC_rgb_dcmtk_+eb+cy+n1.dcm",
        "SC_rgb_dcmtk_+eb+cy+n2.dcm",
        "SC_rgb_dcmtk_+eb+cy+np.dcm",
        "SC_rgb_dcmtk_+eb+cy+s2.dcm",
        "SC_rgb_dcmtk_+eb+cy+s4.dcm",
        "SC_rgb_jpeg_dcmtk.dcm",
        "SC_rgb_jpeg_lossy_gdcm.dcm",
        "SC_rgb_jls_lossy_line.dcm",
        "SC_rgb_jls_lossy_sample.dcm",
    ],
)
def test_the_same_colour_bars_are_nearly_the_same_grey_in_lossy_and_luma_chroma_encodings(
    name,
):
    """YBR_FULL, YBR_FULL_422 and RGB of JPEG baseline, JPEG-LS near-lossless, YBR uncompressed."""
    differences = np.abs(
        decode_test_file(name).astype(int) - decode_test_file("SC_rgb_rle.dcm")
    )
    assert differences.max() <= LOSSY_GREY
    assert differences.mean() < 1


@pytest.mark.parametrize(
    "name",
    [
        "JPEGLSNearLossless_08.dcm",
        "JPEGLSNearLossless_16.dcm",
        "693_J2KI.dcm",
        "JPEG2000.dcm",
        "GDCMJ2K_TextGBR.dcm",
        "examples_jpeg2k.dcm",
        "image_dfl.dcm",
        "ExplVR_BigEnd.dcm",
    ],
)
def test_encodings_without_a_twin_show_a_picture(name):
    """JPEG-LS near-lossless, JPEG 2000, deflated, big endian.

    JPEG 2000 comes with YBR_RCT and without.
    """
    assert np.ptp(decode_test_file(name)) > 100


@pytest.mark.parametrize("name", ["rtdose.dcm", "rtdose_rle.dcm", "rtdose_expb.dcm"])
def test_frames_of_32_bits_are_the_same_in_every_encoding(name):
    frame = decode((FILES / name).read_bytes(), frame=9).pixels
    assert (frame == decode((FILES / "rtdose.dcm").read_bytes(), frame=9).pixels).all()


def recoded(data: bytes, syntax: str, **options: object) -> bytes:
    dataset = pydicom.dcmread(BytesIO(data))
    if syntax in (RLELossless, JPEG2000Lossless, JPEG2000):
        dataset.compress(syntax, generate_instance_uid=False, **options)
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.UID(syntax)
    stream = BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


@pytest.mark.parametrize(
    "syntax",
    [
        ImplicitVRLittleEndian,
        DeflatedExplicitVRLittleEndian,
        RLELossless,
        JPEG2000Lossless,
    ],
)
@pytest.mark.parametrize("colour", [False, True])
def test_what_we_encode_without_loss_comes_back_as_it_was(
    syntax, colour, speckle, dicom
):
    pixels = np.repeat(speckle[..., None], 3, 2) if colour else speckle
    assert (decode(recoded(dicom(pixels), syntax)).pixels == speckle).all()


def test_big_endian_words_are_turned_round(dicom):
    wide = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64)
    dataset = pydicom.dcmread(
        BytesIO(dicom(wide, WindowCenter=1000.5, WindowWidth=1001))
    )
    dataset.PixelData = wide.byteswap().tobytes()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    stream = BytesIO()
    pydicom.dcmwrite(stream, dataset, implicit_vr=False, little_endian=False)
    plain = decode(dicom(wide, WindowCenter=1000.5, WindowWidth=1001)).pixels
    assert (decode(stream.getvalue()).pixels == plain).all()


def test_lossy_jpeg_2000_is_close(speckle, dicom):
    smooth = cv2.GaussianBlur(speckle, (0, 0), 3)
    image = decode(recoded(dicom(smooth), JPEG2000, j2k_psnr=[45]))
    assert np.abs(image.pixels.astype(int) - smooth).mean() < 3


def test_frames_of_a_jpeg_loop_are_told_apart(speckle, dicom):
    smooth = [cv2.GaussianBlur(speckle // divisor, (0, 0), 2) for divisor in (1, 2, 4)]
    dataset = pydicom.dcmread(BytesIO(dicom(np.stack(smooth), NumberOfFrames=3)))
    dataset.PixelData = encapsulate(
        [cv2.imencode(".jpg", frame)[1].tobytes() for frame in smooth]
    )
    dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    stream = BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    for number, frame in enumerate(smooth, 1):
        decoded = decode(stream.getvalue(), frame=number).pixels
        assert np.abs(decoded.astype(int) - frame).mean() < 2


def test_inverse_grey_is_turned_round_in_compressed_frames_too(speckle, dicom):
    data = recoded(dicom(speckle, PhotometricInterpretation="MONOCHROME1"), RLELossless)
    assert (decode(data).pixels == 255 - speckle).all()


def test_a_segmented_palette_is_looked_up_in_compressed_frames_too(speckle, dicom):
    """One linear segment from 0 to white after a first value, which is a ramp."""
    ramp = np.array([0, 1, 0, 1, 255, 65535], np.uint16).tobytes()
    colours = {
        f"Segmented{name}PaletteColorLookupTableData": ramp
        for name in ("Red", "Green", "Blue")
    }
    shape = {
        f"{name}PaletteColorLookupTableDescriptor": [256, 0, 16]
        for name in ("Red", "Green", "Blue")
    }
    data = recoded(
        dicom(speckle, PhotometricInterpretation="PALETTE COLOR", **shape, **colours),
        RLELossless,
    )
    assert (decode(data).pixels == speckle).all()
