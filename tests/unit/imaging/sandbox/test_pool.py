"""Real processes, killed, stopped and starved while they hold an image."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from io import BytesIO
from pathlib import Path
from threading import Event

import numpy as np
import psutil
import pydicom
import pytest
from PIL import Image
from pydicom import examples

from shared.errors import Unavailable
from shared.imaging import (
    EmptyImage,
    FrameAbsent,
    ImageBrokeDecoder,
    ImageUnreadable,
    UnsupportedImage,
    decode,
)
from shared.imaging.sandbox import pool
from shared.imaging.sandbox.bounds import Bounds
from shared.imaging.sandbox.pool import SandboxPool
from shared.phantoms import draw
from tests.support.builders import dicom_file, png

ROOT = Path(__file__).parents[4]
FILES = Path(pydicom.__file__).parent / "data" / "test_files"
DICOM = [
    "SC_rgb_jpeg_gdcm.dcm",
    "SC_rgb_rle_16bit.dcm",
    "MR_small_jp2klossless.dcm",
    "examples_palette.dcm",
]


def until(holds, seconds=30):
    """What comes true, looked for again and again."""
    end = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < end
        Event().wait(0.005)
    return found


def same(one, other):
    alike = all(
        getattr(one, name) == getattr(other, name)
        for name in ("format", "spacing_mm", "region", "findings")
    )
    return (
        alike
        and one.pixels.dtype == other.pixels.dtype
        and np.array_equal(one.pixels, other.pixels)
    )


def raster(kind, size=(200, 200), plain=False, **options):
    stream = BytesIO()
    picture = (
        Image.new("RGB", size)
        if plain
        else Image.fromarray(draw(5, size_px=200).pixels).convert("RGB")
    )
    picture = picture if plain else picture.resize(size)
    picture.save(stream, kind, **options)
    return stream.getvalue()


def pages():
    page = Image.fromarray(draw(6, size_px=96).pixels)
    stream = BytesIO()
    page.save(stream, "TIFF", save_all=True, append_images=[page])
    return stream.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(png(3), id="png"),
        pytest.param(raster("JPEG"), id="jpeg"),
        pytest.param(raster("BMP"), id="bmp"),
        pytest.param(raster("TIFF", compression="tiff_lzw"), id="tiff"),
        pytest.param(pages(), id="pages"),
        pytest.param(
            dicom_file(draw(3).pixels, PixelSpacing=[0.1, 0.2]), id="calibrated"
        ),
        *(
            pytest.param(examples.get_path(name).read_bytes(), id=name)
            for name in ("ybr_color", "rgb_color")
        ),
        *(pytest.param((FILES / name).read_bytes(), id=name) for name in DICOM),
    ],
)
def test_an_image_comes_back_as_it_is_decoded_here(data, decoders):
    apart = decoders.decode(data)
    assert same(apart, decode(data))
    assert apart.pixels.flags.writeable


def test_the_frame_that_is_asked_for_comes_back(decoders):
    loop = examples.get_path("ybr_color").read_bytes()
    assert same(decoders.decode(loop, 3), decode(loop, frame=3))
    assert not same(decoders.decode(loop, 3), decode(loop))


@pytest.mark.parametrize(
    ("error", "data", "frame"),
    [
        (EmptyImage, b"", None),
        (UnsupportedImage, b"no image at all", None),
        (ImageUnreadable, png(1)[:400], None),
        (FrameAbsent, png(1), 2),
    ],
)
def test_an_error_is_the_one_that_is_raised_here(error, data, frame, decoders):
    pids = decoders.pids
    with pytest.raises(error) as here:
        decode(data, frame=frame)
    with pytest.raises(error) as apart:
        decoders.decode(data, frame)
    assert (str(apart.value), apart.value.facts) == (str(here.value), here.value.facts)
    assert decoders.pids == pids


@pytest.fixture(scope="module")
def slow():
    """An image that takes a decoder a while."""
    return raster("PNG", size=(2500, 2000), compress_level=1)


@pytest.fixture(scope="module")
def swollen():
    """A small file that unfolds to as much as is let in."""
    return raster("PNG", size=(6000, 5000), plain=True, compress_level=1)


@pytest.fixture(scope="module")
def frail():
    """One decoder at a time, which may take 3 s and 160 MiB for an image."""
    started = SandboxPool(Bounds(3, 160), 1)
    yield started
    started.close()


def kill_at_work(decoders, times):
    """kill -9 of so many decoders, one after the other, each while it reads an image."""
    for _ in range(times):
        pid = until(partial(at_work, decoders, {}))
        os.kill(pid, signal.SIGKILL)
        until(lambda gone=pid: gone not in decoders.pids)


def at_work(decoders, before):
    """A decoder that has been computing since it was first seen."""
    for pid in decoders.pids:
        spent = psutil.Process(pid).cpu_times().user
        if spent - before.setdefault(pid, spent) > 0.02:
            return pid
    return None


def only(decoders):
    """The number of its one process."""
    decoders.decode(png())
    (pid,) = decoders.pids
    return pid


def test_an_image_that_crashes_its_decoders_fails_by_name_and_the_next_is_read_by_a_fresh_one(
    frail, slow
):
    before = only(frail)
    with ThreadPoolExecutor(1) as pool:
        killing = pool.submit(kill_at_work, frail, 2)
        with pytest.raises(
            ImageBrokeDecoder,
            match=r"crash on it\. Other cases are not affected\. Export it",
        ):
            frail.decode(slow)
        killing.result()
    assert same(frail.decode(png(2)), decode(png(2)))
    assert only(frail) != before


def test_a_decoder_killed_once_through_no_fault_of_the_image_costs_it_nothing(
    frail, slow
):
    only(frail)
    with ThreadPoolExecutor(1) as pool:
        killing = pool.submit(kill_at_work, frail, 1)
        assert same(frail.decode(slow), decode(slow))
        killing.result()


def test_a_decoder_that_hangs_is_ended_and_costs_its_image_only(frail):
    hanging = only(frail)
    os.kill(hanging, signal.SIGSTOP)
    with pytest.raises(ImageBrokeDecoder, match="longer than 3 s"):
        frail.decode(png(1))
    assert not psutil.pid_exists(hanging)
    assert same(frail.decode(png(2)), decode(png(2)))


def test_an_image_that_takes_too_much_memory_fails_by_name_and_its_decoder_is_replaced(
    frail, swollen
):
    before = only(frail)
    with pytest.raises(ImageBrokeDecoder, match="more memory"):
        frail.decode(swollen)
    assert only(frail) != before


def test_a_decoder_that_died_while_it_waited_costs_nobody_anything(frail):
    psutil.Process(only(frail)).kill()
    assert same(frail.decode(png(2)), decode(png(2)))


def test_where_no_decoder_starts_it_is_not_the_images_fault(
    frail, monkeypatch, tmp_path
):
    with monkeypatch.context() as patched:
        patched.setattr(pool, "ROOT", tmp_path)
        patched.delenv("PYTHONPATH", raising=False)
        psutil.Process(only(frail)).kill()
        with pytest.raises(Unavailable, match="image decoder"):
            frail.decode(png(1))
    until(lambda: reads(frail))


def reads(decoders):
    try:
        return decoders.decode(png(1))
    except Unavailable:
        return None


def test_no_decoder_outlives_a_worker_killed_with_it_hanging():
    code = (
        "import os, signal\n"
        "from shared.imaging.sandbox.bounds import Bounds\n"
        "from shared.imaging.sandbox.pool import SandboxPool\n"
        "from PIL import Image\n"
        "from io import BytesIO\n"
        "Image.new('L', (32, 32)).save(picture := BytesIO(), 'PNG')\n"
        "decoders = SandboxPool(Bounds(), 1)\n"
        "decoders.decode(picture.getvalue())\n"
        "(pid,) = decoders.pids\n"
        "os.kill(pid, signal.SIGSTOP)\n"
        "print(pid, flush=True)\n"
        "decoders.decode(picture.getvalue())\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as worker:
        decoder = psutil.Process(int(worker.stdout.readline()))
        worker.kill()
    until(lambda: gone(decoder))


def gone(process):
    """Whether it is, or waits for nothing but to be counted out."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_a_decoder_is_told_no_secret_and_may_write_no_file(decoders, monkeypatch):
    process = psutil.Process(only(decoders))
    assert process.environ().keys() <= {*pool.KEPT, *pool.ONE_THREAD, "LC_CTYPE"}
    assert process.rlimit(psutil.RLIMIT_FSIZE) == (0, 0)
    assert process.rlimit(psutil.RLIMIT_CORE) == (0, 0)
