import numpy as np
import pytest
from PIL import Image

from shared.imaging import ImageFormat, ImageUnreadable, UnsupportedImage, decode

ORIENTATION = 0x0112


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF"])
def test_lossless_grey_comes_back_as_it_was(kind, speckle, encode):
    image = decode(encode(speckle, kind))
    assert (image.pixels == speckle).all()
    assert (image.format, image.findings) == (ImageFormat(kind.lower()), ())
    assert image.pixels.dtype == np.uint8
    assert image.pixels.flags.writeable


def test_jpeg_comes_back_nearly(speckle, encode):
    assert (
        np.abs(
            decode(encode(speckle, "JPEG", quality=95)).pixels.astype(int) - speckle
        ).mean()
        < 3
    )


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "TIFF"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_truncated_file_is_refused(kind, share, speckle, encode):
    data = encode(speckle, kind)
    with pytest.raises(ImageUnreadable):
        decode(data[: int(len(data) * share)])


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF"])
def test_exif_orientation_is_applied(kind, orientation, speckle, encode):
    picture = Image.fromarray(np.kron(speckle, np.ones((2, 2), np.uint8)))
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    upright = decode(encode(picture, kind, exif=exif)).pixels
    height, width = (128, 96) if orientation >= 5 else (96, 128)
    corner = {
        1: (0, 0),
        2: (0, 1),
        3: (1, 1),
        4: (1, 0),
        5: (0, 0),
        6: (0, 1),
        7: (1, 1),
        8: (1, 0),
    }[orientation]
    rows, columns = (slice(0, 28) if end == 0 else slice(-28, None) for end in corner)
    assert upright.shape == (height, width)
    assert upright[rows, columns].mean() > 230


@pytest.mark.parametrize(
    ("bits", "peak"), [(8, 255), (10, 1023), (12, 4095), (16, 65535)]
)
def test_wide_grey_is_scaled_by_the_depth_in_use(bits, peak, encode):
    wide = np.linspace(0, peak, 64 * 64).reshape(64, 64).astype(np.uint16)
    for kind in ("PNG", "TIFF"):
        pixels = decode(encode(wide, kind)).pixels
        assert (pixels.min(), pixels.max()) == (0, 255)
        assert abs(int(pixels[32, 32]) - 129) <= 1


def test_palette_and_bilevel_images_are_turned_to_grey(speckle, encode):
    grey = Image.fromarray(speckle)
    assert (
        np.abs(decode(encode(grey.convert("P"))).pixels.astype(int) - speckle).max()
        <= 2
    )
    assert set(np.unique(decode(encode(grey.convert("1"))).pixels)) == {0, 255}


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_a_transparent_background_becomes_black(mode, speckle, encode):
    stored = speckle.copy()
    stored[:, 32:] = 250
    image = Image.fromarray(stored).convert(mode)
    alpha = np.full(speckle.shape, 255, np.uint8)
    alpha[:, 32:] = 0
    image.putalpha(Image.fromarray(alpha))
    decoded = decode(encode(image))
    pixels = decoded.pixels
    assert decoded.findings == ()
    assert not pixels[:, 32:].any()
    assert (pixels[:, :32] == speckle[:, :32]).all()


def test_a_doppler_overlay_is_reported(speckle, encode):
    rgb = np.repeat(speckle[..., None], 3, 2)
    assert decode(encode(rgb)).findings == ()
    rgb[10:20, 10:20] = (220, 30, 10)
    assert [finding.code for finding in decode(encode(rgb)).findings] == [
        "colour-overlay"
    ]


def test_cmyk_jpeg_is_read(speckle, encode):
    assert (
        decode(encode(Image.fromarray(speckle).convert("CMYK"), "JPEG")).pixels.shape
        == speckle.shape
    )


def test_of_several_pages_the_first_is_read(speckle, encode):
    data = encode(
        speckle, "TIFF", save_all=True, append_images=[Image.fromarray(255 - speckle)]
    )
    image = decode(data)
    assert (image.pixels == speckle).all()
    assert [finding.code for finding in image.findings] == ["first-page"]


def test_floating_point_tiff_is_refused(encode):
    with pytest.raises(UnsupportedImage):
        decode(encode(np.ones((16, 16), np.float32), "TIFF"))
