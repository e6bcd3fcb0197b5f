"""The turns of hospitals in decoding and cleaning."""

from threading import Thread
from uuid import uuid4

import numpy as np
import pytest

from shared.cases.decoder_pool import MAX_WAITING_IN_ALL, DecoderPool, DecodersBusy
from shared.cases.deidentification import Deidentifier
from shared.imaging import UnsupportedImage
from shared.imaging.sandbox.bounds import Bounds
from shared.imaging.sandbox.pool import SandboxPool
from tests.support.builders import dicom_file, encode, png
from tests.support.dicom_files import region

NORTH = uuid4()
SOUTH = uuid4()
MASKED_DICOM = dicom_file(
    np.full((64, 96, 3), 90, np.uint8),
    SequenceOfUltrasoundRegions=[region(4, 6, 30, 40)],
)


@pytest.fixture
def pool():
    pool = DecoderPool(SandboxPool(Bounds(), 1), wait_s=0.01)
    yield pool
    pool.close()


class FakeLedger:
    """Derives a fixed key."""

    def system_session(self, actor):
        return self

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    @property
    def pseudonyms(self):
        return self

    def derive_key(self, purpose):
        return b"key"


@pytest.fixture
def deidentifier(pool):
    deidentifier = Deidentifier(FakeLedger(), pool)
    yield deidentifier
    deidentifier.close()


def test_cleaning_in_a_process_takes_the_place_of_its_hospital(pool, deidentifier):
    with pool.place(NORTH):
        with pytest.raises(DecodersBusy):
            deidentifier.clean(MASKED_DICOM, NORTH)
        with pytest.raises(DecodersBusy):
            deidentifier.clean_and_paint(png(1), NORTH)
        assert deidentifier.clean(png(1), NORTH).data
        assert deidentifier.clean(MASKED_DICOM, SOUTH).removed
    assert deidentifier.clean(MASKED_DICOM, NORTH).removed
    assert deidentifier.clean_and_paint(png(1), NORTH).data


def test_a_mask_is_cleaned_in_a_process_and_waits_for_its_place(pool, deidentifier):
    picture = np.zeros((60, 80), np.uint8)
    picture[20:40, 30:50] = 9
    results = []

    def clean_mask():
        results.append(deidentifier.clean_mask(encode(picture), 80, 60))

    thread = Thread(target=clean_mask)
    with pool.place(None):
        thread.start()
        thread.join(0.2)
        assert thread.is_alive()
    thread.join(60.0)
    assert results[0].removed == {"recoded": 1}


def test_many_threads_of_a_batch_wait_and_are_not_refused(pool):
    count = 2 * MAX_WAITING_IN_ALL
    served = []

    def serve():
        with pool.place(None):
            served.append(None)

    threads = [Thread(target=serve) for _ in range(count)]
    with pool.place(None):
        for thread in threads:
            thread.start()
    for thread in threads:
        thread.join(60.0)
    assert len(served) == count


def test_a_place_is_free_again_after_a_refused_file(pool, deidentifier):
    with pytest.raises(UnsupportedImage):
        deidentifier.clean_and_paint(b"no image", NORTH)
    with pool.place(NORTH):
        pass
