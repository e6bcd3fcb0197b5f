import imagecodecs
import numpy as np
import pytest

from shared.imaging import UnsupportedImage, decode


@pytest.fixture
def deep(speckle) -> np.ndarray:
    return (speckle.astype(np.uint16) * 16).astype(np.uint16)


def test_a_jpeg_of_12_bits_is_refused_by_name(deep):
    data = imagecodecs.jpeg8_encode(deep, level=95, bitspersample=12)
    with pytest.raises(UnsupportedImage, match="JPEG files of 12 bits are not read"):
        decode(data)


def test_a_lossless_jpeg_is_refused_by_name(speckle):
    data = imagecodecs.jpeg8_encode(speckle, lossless=True)
    with pytest.raises(UnsupportedImage, match="lossless JPEG are not read"):
        decode(data)


def test_jpeg_ls_is_refused_by_name(speckle):
    data = imagecodecs.jpegls_encode(speckle)
    with pytest.raises(UnsupportedImage, match="JPEG-LS are not read"):
        decode(data)


@pytest.mark.parametrize("progressive", [False, True])
def test_baseline_and_progressive_jpeg_are_read(progressive, speckle, encode):
    data = encode(speckle, "JPEG", quality=95, progressive=progressive)
    assert np.abs(decode(data).pixels.astype(int) - speckle).mean() < 3
