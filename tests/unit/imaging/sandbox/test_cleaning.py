"""De-identification of files whose frames must be decoded, in real sandbox processes."""

import os
import signal
from io import BytesIO

import cv2
import numpy as np
import psutil
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import JPEG2000Lossless, RLELossless

from shared.imaging import (
    ImageDecoderFailed,
    ImageTooLarge,
    ImageUnreadable,
    Limits,
)
from shared.imaging.deidentify import clean, clean_and_blank_text
from shared.imaging.sandbox.bounds import Bounds
from shared.imaging.sandbox.pool import SandboxPool
from shared.phantoms import draw
from tests.support.builders import dicom_file, encode, png

KEY = b"key"
PIXELS = np.random.default_rng(2).integers(60, 200, (64, 96)).astype(np.uint8)


def compressed(data: bytes, syntax, **options) -> bytes:
    dataset = pydicom.dcmread(BytesIO(data))
    dataset.compress(syntax, **options)
    stream = BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def region() -> Dataset:
    item = Dataset()
    item.RegionSpatialFormat = 1
    item.RegionDataType = 1
    item.RegionLocationMinX0 = 4
    item.RegionLocationMinY0 = 6
    item.RegionLocationMaxX1 = 30
    item.RegionLocationMaxY1 = 40
    return item


def loop(frames: int = 2, pixels=PIXELS) -> bytes:
    plain = dicom_file(
        np.stack([pixels] * frames),
        NumberOfFrames=frames,
        SequenceOfUltrasoundRegions=[region()],
        PatientName="Doe",
    )
    return compressed(plain, JPEG2000Lossless, encoding_plugin="pylibjpeg")


def is_same(cleaned, expected):
    return cleaned.data == expected.data and cleaned.removed == expected.removed


@pytest.fixture(scope="module")
def sandbox():
    """A pool of one process with 3 s for a file."""
    pool = SandboxPool(Bounds(seconds=3), 1)
    yield pool
    pool.close()


@pytest.fixture
def open_pool():
    """Opens pools of one process with other bounds."""
    pools = []

    def opened(**bounds):
        pools.append(SandboxPool(Bounds(**bounds), 1))
        return pools[-1]

    yield opened
    for pool in pools:
        pool.close()


@pytest.mark.parametrize(
    "data", [loop(), compressed(dicom_file(PIXELS), RLELossless)], ids=["loop", "rle"]
)
def test_the_pool_cleans_a_file_as_clean_does(data, sandbox):
    assert is_same(sandbox.clean(data, KEY), clean(data, KEY))


def test_the_pool_paints_over_text_as_in_its_own_process(sandbox):
    pixels = np.vstack([np.zeros((40, 200), np.uint8), draw(3, size_px=200).pixels])
    cv2.putText(pixels, "DOE JANE", (6, 26), cv2.FONT_HERSHEY_SIMPLEX, 0.5, 200)
    expected = clean_and_blank_text(encode(pixels), KEY)
    cleaned = sandbox.clean_and_blank_text(encode(pixels), KEY)
    assert is_same(cleaned, expected)
    assert cleaned.findings == expected.findings != ()


def test_a_file_that_needs_no_decoding_starts_no_process(open_pool):
    pool = open_pool()
    assert pool.clean(png(1), KEY).data == clean(png(1), KEY).data
    assert not pool.pids


def test_no_process_cleans_the_files_of_two_hospitals(sandbox):
    sandbox.clean(loop(), KEY)
    sandbox.decode(png(1))
    pids_before = sandbox.pids
    sandbox.clean(loop(), KEY)
    sandbox.decode(png(1))
    assert len(pids_before) == len(sandbox.pids) == 1
    assert pids_before != sandbox.pids


def test_a_loop_that_decodes_to_more_than_the_limit_is_refused(open_pool):
    data = loop(20, np.zeros((256, 256), np.uint8))
    pool = open_pool(limits=Limits(max_inflated_mib=1))
    with pytest.raises(ImageTooLarge):
        pool.clean(data, KEY)


def test_a_process_that_hangs_is_ended_and_only_its_file_fails(sandbox):
    sandbox.decode(png(1))
    (hanging,) = sandbox.pids
    data = loop()
    os.kill(hanging, signal.SIGSTOP)
    with pytest.raises(ImageUnreadable, match="cannot be decoded for cleaning"):
        sandbox.clean(data, KEY)
    assert not psutil.pid_exists(hanging)
    assert is_same(sandbox.clean(data, KEY), clean(data, KEY))


def test_a_file_that_needs_too_much_memory_fails_alone(open_pool):
    huge_file = loop(1, np.zeros((3000, 3000), np.uint8))
    small = loop(1)
    pool = open_pool(memory_mib=16)
    with pytest.raises((ImageDecoderFailed, ImageUnreadable)):
        pool.clean(huge_file, KEY)
    assert is_same(pool.clean(small, KEY), clean(small, KEY))
