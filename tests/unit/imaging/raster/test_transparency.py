import numpy as np
import pytest
from PIL import Image

from shared.imaging import decode


def rgba(speckle: np.ndarray, alpha: int) -> np.ndarray:
    opacity = np.full((*speckle.shape, 1), alpha, np.uint8)
    return np.concatenate([np.repeat(speckle[..., None], 3, axis=2), opacity], axis=2)


@pytest.mark.parametrize("alpha", [0, 1])
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_an_alpha_that_hides_everything_is_ignored_and_said(
    kind, alpha, speckle, encode
):
    image = decode(encode(rgba(speckle, alpha), kind))
    assert (image.pixels == speckle).all()
    assert [finding.code for finding in image.findings] == ["alpha-ignored"]


def test_an_alpha_of_0_in_16_bits_is_ignored_and_said(speckle, wide_png):
    samples = rgba(speckle, 0).astype(np.uint16) * 257
    image = decode(wide_png(samples.astype(np.uint16)))
    assert (image.pixels == speckle).all()
    assert [finding.code for finding in image.findings] == ["alpha-ignored"]


def test_a_palette_that_is_all_transparent_is_read(speckle, encode):
    palette = Image.fromarray(speckle).convert("P")
    data = encode(palette, transparency=bytes(256))
    expected = np.asarray(palette.convert("L"))
    image = decode(data)
    assert np.abs(image.pixels.astype(int) - expected).max() <= 1
    assert [finding.code for finding in image.findings] == ["alpha-ignored"]


def test_an_opaque_alpha_says_nothing(speckle, encode):
    image = decode(encode(rgba(speckle, 255)))
    assert (image.pixels == speckle).all()
    assert image.findings == ()


def test_a_black_picture_stays_black(encode):
    image = decode(encode(np.zeros((16, 16, 4), np.uint8)))
    assert not image.pixels.any()
    assert image.findings == ()
