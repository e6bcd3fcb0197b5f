"""De-identification of files whose frames must be decoded, in real sandbox processes."""

import os
import signal
from contextlib import contextmanager
from io import BytesIO

import cv2
import numpy as np
import psutil
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import JPEG2000Lossless, RLELossless

from shared.errors import InputError
from shared.imaging import (
    ImageDecoderFailed,
    ImageTooLarge,
    ImageUnreadable,
    Limits,
)
from shared.imaging.deidentify import clean, clean_and_paint, clean_mask
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
    expected = clean_and_paint(encode(pixels), KEY)
    cleaned = sandbox.clean_and_paint(encode(pixels), KEY)
    assert is_same(cleaned, expected)
    assert cleaned.findings == expected.findings != ()


def test_a_file_that_needs_no_decoding_starts_no_process(open_pool):
    pool = open_pool()
    assert pool.clean(png(1), KEY).data == clean(png(1), KEY).data
    assert not pool.pids


@pytest.fixture
def place():
    """A place for the work of a process, which notes when it is held."""

    class Place:
        def __init__(self):
            self.events = []

        @contextmanager
        def __call__(self):
            self.events.append("begin")
            yield
            self.events.append("end")

    return Place()


@pytest.mark.parametrize(
    ("pixels", "elements"),
    [
        (np.repeat(PIXELS[..., None], 3, axis=2), {}),
        (PIXELS.astype(np.uint16) * 257, {}),
        (PIXELS.astype(np.int8), {"PixelRepresentation": 1}),
        (PIXELS, {"BitsStored": 7, "HighBit": 6}),
    ],
    ids=["colour", "16 bits", "signed", "7 bits"],
)
def test_uncompressed_pixels_are_looked_at_in_a_process(
    pixels, elements, sandbox, place
):
    regions = {"SequenceOfUltrasoundRegions": [region()]}
    data = dicom_file(pixels, **(elements | regions))
    assert is_same(sandbox.clean(data, KEY, place=place), clean(data, KEY))
    assert place.events == ["begin", "end"]


def test_no_place_is_held_for_a_file_that_needs_no_process(sandbox, place):
    for data in (png(1), dicom_file(PIXELS)):
        sandbox.clean(data, KEY, place=place)
    assert place.events == []


@pytest.mark.parametrize(
    ("interpretation", "black"), [("MONOCHROME1", 255), ("MONOCHROME2", 0)]
)
def test_grey_of_eight_bits_is_blanked_by_its_header_alone(
    interpretation, black, sandbox, place
):
    data = dicom_file(
        PIXELS,
        PhotometricInterpretation=interpretation,
        SequenceOfUltrasoundRegions=[region()],
    )
    cleaned = sandbox.clean(data, KEY, place=place)
    pixels = pydicom.dcmread(BytesIO(cleaned.data)).pixel_array
    assert place.events == []
    assert (pixels[6:41, 4:31] == PIXELS[6:41, 4:31]).all()
    assert (pixels[:6] == black).all()


def ellipse(*values: int) -> np.ndarray:
    picture = np.full((60, 80), values[0], np.uint8)
    for radius, value in zip((20, 10), values[1:], strict=False):
        cv2.circle(picture, (40, 30), radius, value, -1)
    return picture


@pytest.mark.parametrize("values", [(0, 255), (3, 9)])
def test_a_mask_is_cleaned_in_a_process_that_does_not_end(values, open_pool):
    pool = open_pool()
    data = encode(ellipse(*values))
    pool.clean_mask(data, 80, 60)
    pids_before = pool.pids
    assert is_same(pool.clean_mask(data, 80, 60), clean_mask(data, 80, 60))
    assert pool.pids == pids_before != set()


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "image-empty"),
        (encode(ellipse(0, 255))[:100], "image-unreadable"),
        (encode(np.zeros((40, 80), np.uint8)), "mask-mismatch"),
        (encode(ellipse(0, 128, 255)), "mask-unclear"),
    ],
)
def test_a_mask_is_refused_as_in_its_own_process(data, code, sandbox):
    with pytest.raises(InputError) as refusal:
        sandbox.clean_mask(data, 80, 60)
    with pytest.raises(InputError) as expected:
        clean_mask(data, 80, 60)
    assert refusal.value.code == expected.value.code == code
    assert refusal.value.facts == expected.value.facts


def test_a_mask_that_hangs_its_process_fails_alone(open_pool):
    pool = open_pool(seconds=1)
    data = encode(ellipse(0, 255))
    pool.clean_mask(data, 80, 60)
    (hanging,) = pool.pids
    os.kill(hanging, signal.SIGSTOP)
    with pytest.raises(ImageDecoderFailed):
        pool.clean_mask(data, 80, 60)
    assert pool.clean_mask(data, 80, 60).data == data


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
