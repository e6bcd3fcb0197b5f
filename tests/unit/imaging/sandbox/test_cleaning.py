"""Files whose frames have to be decoded to be cleaned, in real processes."""

import os
import signal
from io import BytesIO

import numpy as np
import psutil
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import JPEG2000Lossless, RLELossless

from shared.imaging import (
    ImageBrokeDecoder,
    ImageTooLarge,
    ImageUnreadable,
    Limits,
)
from shared.imaging.deidentify import clean
from shared.imaging.sandbox.bounds import Bounds
from shared.imaging.sandbox.pool import SandboxPool
from tests.support.builders import dicom_file, png

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


def same(one, other):
    return (one.data, one.removed) == (other.data, other.removed)


@pytest.fixture(scope="module")
def sandbox():
    """One process at a time, within 3 s."""
    pool = SandboxPool(Bounds(seconds=3), 1)
    yield pool
    pool.close()


@pytest.fixture
def pool_within():
    """A pool of one process within other bounds."""
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
def test_a_file_is_cleaned_as_it_is_cleaned_here(data, sandbox):
    assert same(sandbox.clean(data, KEY), clean(data, KEY))


def test_a_file_that_needs_no_decoding_starts_no_process(pool_within):
    pool = pool_within()
    assert pool.clean(png(1), KEY).data == clean(png(1), KEY).data
    assert not pool.pids


def test_no_process_cleans_the_files_of_two_hospitals(sandbox):
    sandbox.clean(loop(), KEY)
    sandbox.decode(png(1))
    before = sandbox.pids
    sandbox.clean(loop(), KEY)
    sandbox.decode(png(1))
    assert len(before) == len(sandbox.pids) == 1
    assert before != sandbox.pids


def test_a_loop_that_unfolds_beyond_bounds_is_refused_as_it_is_here(pool_within):
    data = loop(20, np.zeros((256, 256), np.uint8))
    pool = pool_within(limits=Limits(max_inflated_mib=1))
    with pytest.raises(ImageTooLarge):
        pool.clean(data, KEY)


def test_a_process_that_hangs_is_ended_and_costs_its_file_only(sandbox):
    sandbox.decode(png(1))
    (hanging,) = sandbox.pids
    data = loop()
    os.kill(hanging, signal.SIGSTOP)
    with pytest.raises(ImageUnreadable, match="cannot be decoded for cleaning"):
        sandbox.clean(data, KEY)
    assert not psutil.pid_exists(hanging)
    assert same(sandbox.clean(data, KEY), clean(data, KEY))


def test_a_file_that_takes_too_much_memory_costs_itself_only(pool_within):
    swollen = loop(1, np.zeros((3000, 3000), np.uint8))
    small = loop(1)
    pool = pool_within(memory_mib=16)
    with pytest.raises((ImageBrokeDecoder, ImageUnreadable)):
        pool.clean(swollen, KEY)
    assert same(pool.clean(small, KEY), clean(small, KEY))
