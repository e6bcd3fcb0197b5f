"""Real sandbox processes that are killed, stopped or limited while they decode an image."""

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
    FrameMissing,
    ImageDecoderFailed,
    ImageUnreadable,
    UnsupportedImage,
    decode,
)
from shared.imaging.sandbox.bounds import Bounds
from shared.imaging.sandbox.pool import SandboxPool
from shared.phantoms import draw
from shared.sandbox import launcher
from tests.support.builders import dicom_file, png

ROOT = Path(__file__).parents[4]
FILES = Path(pydicom.__file__).parent / "data" / "test_files"
DICOM = [
    "SC_rgb_jpeg_gdcm.dcm",
    "SC_rgb_rle_16bit.dcm",
    "MR_small_jp2klossless.dcm",
    "examples_palette.dcm",
]


def wait_until(condition, seconds=30):
    """Poll until the condition is true, and return its value."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline
        Event().wait(0.005)
    return value


def is_same(image, expected):
    has_same_fields = all(
        getattr(image, name) == getattr(expected, name)
        for name in ("format", "spacing_mm", "region", "findings")
    )
    return (
        has_same_fields
        and image.pixels.dtype == expected.pixels.dtype
        and np.array_equal(image.pixels, expected.pixels)
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
def test_the_pool_decodes_an_image_as_decode_does(data, decoders):
    image = decoders.decode(data)
    assert is_same(image, decode(data))
    assert image.pixels.flags.writeable


@pytest.mark.parametrize("find_text", [False, True])
def test_a_check_returns_what_is_known_of_the_decoded_image(find_text, decoders):
    data = (FILES / "examples_palette.dcm").read_bytes()
    expected = decode(data)
    checked = decoders.check(data, find_text=find_text)
    assert (checked.height, checked.width) == expected.pixels.shape
    assert checked.findings == expected.findings
    assert checked.has_text_beside_tissue is find_text


def test_a_check_refuses_what_decode_refuses(decoders):
    with pytest.raises(ImageUnreadable):
        decoders.check(png(1)[:2000])
    with pytest.raises(FrameMissing):
        decoders.check(png(1), frame=2)


def test_the_requested_frame_is_decoded(decoders):
    loop = examples.get_path("ybr_color").read_bytes()
    assert is_same(decoders.decode(loop, 3), decode(loop, frame=3))
    assert not is_same(decoders.decode(loop, 3), decode(loop))


@pytest.mark.parametrize(
    ("error", "data", "frame"),
    [
        (EmptyImage, b"", None),
        (UnsupportedImage, b"no image at all", None),
        (ImageUnreadable, png(1)[:400], None),
        (FrameMissing, png(1), 2),
    ],
)
def test_the_pool_raises_the_same_error_as_decode(error, data, frame, decoders):
    pids = decoders.pids
    with pytest.raises(error) as expected:
        decode(data, frame=frame)
    with pytest.raises(error) as raised:
        decoders.decode(data, frame)
    assert str(raised.value) == str(expected.value)
    assert raised.value.facts == expected.value.facts
    assert decoders.pids == pids


@pytest.fixture(scope="module")
def slow():
    """An image that takes a decoder some time."""
    return raster("PNG", size=(2500, 2000), compress_level=1)


@pytest.fixture(scope="module")
def huge_image():
    """A small file that decodes to the maximum size."""
    return raster("PNG", size=(6000, 5000), plain=True, compress_level=1)


@pytest.fixture(scope="module")
def limited_pool():
    """A pool of one process with 3 s and 160 MiB for an image."""
    limited = SandboxPool(Bounds(seconds=3, memory_mib=160), 1)
    yield limited
    limited.close()


def kill_while_decoding(decoders, times):
    """Kill so many processes with SIGKILL, one after the other, each while it decodes an image."""
    for _ in range(times):
        killed_pid = wait_until(partial(busy_pid, decoders, {}))
        os.kill(killed_pid, signal.SIGKILL)
        wait_until(lambda pid=killed_pid: pid not in decoders.pids)


def busy_pid(decoders, first_cpu_s):
    """The pid of a process that has used CPU time since the first look at it."""
    for pid in decoders.pids:
        cpu_s = psutil.Process(pid).cpu_times().user
        if cpu_s - first_cpu_s.setdefault(pid, cpu_s) > 0.02:
            return pid
    return None


def only_pid(decoders):
    """The pid of the only process."""
    decoders.decode(png())
    (pid,) = decoders.pids
    return pid


def test_an_image_that_crashes_its_processes_is_refused_and_the_next_one_gets_a_new_process(
    limited_pool, slow
):
    pid_before = only_pid(limited_pool)
    with ThreadPoolExecutor(1) as pool:
        killing = pool.submit(kill_while_decoding, limited_pool, 2)
        with pytest.raises(
            ImageDecoderFailed,
            match=r"crash on it\. Other cases are not affected\. Export it",
        ):
            limited_pool.decode(slow)
        killing.result()
    assert is_same(limited_pool.decode(png(2)), decode(png(2)))
    assert only_pid(limited_pool) != pid_before


def test_an_image_whose_process_is_killed_once_is_decoded_by_another_process(
    limited_pool, slow
):
    only_pid(limited_pool)
    with ThreadPoolExecutor(1) as pool:
        killing = pool.submit(kill_while_decoding, limited_pool, 1)
        assert is_same(limited_pool.decode(slow), decode(slow))
        killing.result()


def test_a_process_that_hangs_is_ended_and_only_its_image_fails(limited_pool):
    hanging = only_pid(limited_pool)
    os.kill(hanging, signal.SIGSTOP)
    with pytest.raises(ImageDecoderFailed, match="longer than 3 s"):
        limited_pool.decode(png(1))
    assert not psutil.pid_exists(hanging)
    assert is_same(limited_pool.decode(png(2)), decode(png(2)))


def test_an_image_that_needs_too_much_memory_is_refused_and_its_process_is_replaced(
    limited_pool, huge_image
):
    pid_before = only_pid(limited_pool)
    with pytest.raises(ImageDecoderFailed, match="more memory"):
        limited_pool.decode(huge_image)
    assert only_pid(limited_pool) != pid_before


def test_a_process_that_died_while_idle_is_replaced_unnoticed(limited_pool):
    psutil.Process(only_pid(limited_pool)).kill()
    assert is_same(limited_pool.decode(png(2)), decode(png(2)))


def test_an_image_is_not_blamed_if_no_process_can_start(
    limited_pool, monkeypatch, tmp_path
):
    with monkeypatch.context() as patched:
        patched.setattr(launcher, "ROOT", tmp_path)
        patched.delenv("PYTHONPATH", raising=False)
        psutil.Process(only_pid(limited_pool)).kill()
        with pytest.raises(Unavailable, match="image decoder"):
            limited_pool.decode(png(1))
    wait_until(lambda: decode_if_possible(limited_pool))


def decode_if_possible(decoders):
    try:
        return decoders.decode(png(1))
    except Unavailable:
        return None


def test_a_hanging_process_ends_when_its_worker_is_killed():
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
    assert wait_until(lambda: has_ended(decoder))


def has_ended(process):
    """Whether the process has ended, or is a zombie."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
