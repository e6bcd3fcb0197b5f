"""DCMTK shows the same pictures, where it is installed."""

import shutil
import subprocess

import cv2
import numpy as np
import pytest
from pydicom.uid import JPEGBaseline8Bit, RLELossless

from shared.imaging import decode
from tests.support.builders import dicom_file
from tests.support.dicom_files import (
    colour_tissue,
    compressed,
    encapsulated,
    jpeg,
    tissue,
)

DCMJ2PNM = shutil.which("dcmj2pnm")
GREY = tissue()
DEEP = GREY.astype(np.uint16) * 16 + GREY // 16
RGB = colour_tissue()
LEVELS = 1
"""DCMTK rounds down where SERA rounds to the nearest level."""

pytestmark = pytest.mark.skipif(DCMJ2PNM is None, reason="DCMTK is not installed")


@pytest.mark.parametrize(
    "data",
    [
        dicom_file(GREY, RescaleSlope=1, RescaleIntercept=0),
        dicom_file(GREY, RescaleSlope=-1, RescaleIntercept=0),
        dicom_file(GREY.astype(np.uint16), BitsStored=8, HighBit=7),
        dicom_file(DEEP << 4, BitsStored=12, HighBit=15),
        dicom_file(GREY, PhotometricInterpretation="MONOCHROME1"),
        dicom_file(GREY, PresentationLUTShape="INVERSE"),
        dicom_file(
            GREY,
            PhotometricInterpretation="MONOCHROME1",
            PresentationLUTShape="IDENTITY",
        ),
        compressed(dicom_file(RGB), RLELossless, PlanarConfiguration=0),
        encapsulated(
            jpeg(RGB),
            JPEGBaseline8Bit,
            RGB,
            PhotometricInterpretation="YBR_FULL_422",
            PlanarConfiguration=1,
        ),
    ],
)
def test_the_picture_is_that_of_dcmtk(data, tmp_path):
    source = tmp_path / "image.dcm"
    source.write_bytes(data)
    target = tmp_path / "image.pnm"
    subprocess.run([DCMJ2PNM, "--write-raw-pnm", source, target], check=True)
    shown = cv2.imread(str(target), cv2.IMREAD_GRAYSCALE)
    differences = decode(data).pixels.astype(int) - shown
    assert np.abs(differences).max() <= LEVELS
