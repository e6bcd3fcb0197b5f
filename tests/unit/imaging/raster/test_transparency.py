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


def test_an_alpha_that_hides_or_dims_a_part_of_the_picture_is_ignored_and_said(
    speckle, encode
):
    window = rgba(speckle, 0)
    window[10:30, 10:30, 3] = 255
    dimmed = rgba(speckle, 128)
    grey_as_alpha = rgba(speckle, 0)
    grey_as_alpha[..., 3] = speckle
    for samples in (window, dimmed, grey_as_alpha):
        image = decode(encode(samples))
        assert (image.pixels == speckle).all()
        assert [finding.code for finding in image.findings] == ["alpha-ignored"]


def test_soft_edges_of_a_transparent_background_are_laid_on_black(speckle, encode):
    samples = rgba(speckle, 255)
    samples[:, :20, :3] = 250
    samples[:, :20, 3] = 0
    samples[:, 20:22, 3] = 128
    image = decode(encode(samples))
    assert not image.pixels[:, :20].any()
    assert (image.pixels[:, 22:] == speckle[:, 22:]).all()
    assert image.findings == ()


def test_a_palette_of_6_bits_is_scaled_and_said(encode):
    indices = np.add.outer(np.arange(64), np.arange(64)).astype(np.uint8)
    image = Image.fromarray(indices).convert("P")
    for kind in ("PNG", "BMP"):
        image.putpalette(np.repeat(np.arange(256) // 4, 3).astype(np.uint8).tobytes())
        decoded = decode(encode(image, kind))
        expected = np.rint(indices // 4 * (255 / 63))
        assert (decoded.pixels == expected).all()
        assert [finding.code for finding in decoded.findings] == ["depth-guessed"]
        assert decoded.findings[0].facts == {"declared_bits": 8, "bits": 6}
