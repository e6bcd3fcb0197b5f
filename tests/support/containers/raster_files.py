"""The picture in every raster format, depth, polarity, byte order and orientation."""

from collections.abc import Iterator
from io import BytesIO

import cv2
import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from tests.support.containers.container import (
    Container,
    grey_picture,
    luma,
    tinted_picture,
    widen,
)

ORIENTATION_TAG = 0x0112
STORED_BY_ORIENTATION = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""The operation that turns the upright picture to its stored form (EXIF 2.32, tag 0x0112)."""
ALPHA_IGNORED = frozenset({"alpha-ignored"})
DEPTH_GUESSED = frozenset({"depth-guessed"})
TURNED = frozenset({"turned"})


def raster_containers() -> Iterator[Container]:
    """Yield the lossless files."""
    yield from _png_files()
    yield from _bmp_files()
    yield from _webp_files()
    yield from _tiff_files()
    yield from _orientations()


def jpeg_containers() -> Iterator[Container]:
    """Yield lossy files: every subsampling, colour and grey, progressive and not."""
    for quality in (75, 95):
        grey = _encoded(Image.fromarray(grey_picture()), "JPEG", quality=quality)
        yield Container(f"jpeg-grey-q{quality}", grey)
        for subsampling in ("4:4:4", "4:2:2", "4:2:0"):
            for is_progressive in (False, True):
                data = _encoded(
                    Image.fromarray(tinted_picture()),
                    "JPEG",
                    quality=quality,
                    subsampling=subsampling,
                    progressive=is_progressive,
                )
                kind = "progressive" if is_progressive else "sequential"
                yield Container(f"jpeg-{subsampling}-{kind}-q{quality}", data)
    rgb = _encoded(Image.fromarray(tinted_picture()), "JPEG", keep_rgb=True, quality=95)
    yield Container("jpeg-rgb", rgb)
    cmyk = Image.fromarray(tinted_picture()).convert("CMYK")
    yield Container("jpeg-cmyk", _encoded(cmyk, "JPEG", quality=95))


def _encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    stream = BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def _png(pixels: NDArray[np.uint8] | NDArray[np.uint16]) -> bytes:
    """Encode grey, RGB or RGBA of 8 or 16 bits."""
    if pixels.ndim == 3:
        order = [2, 1, 0, 3] if pixels.shape[-1] == 4 else [2, 1, 0]
        pixels = pixels[..., order]
    return bytes(cv2.imencode(".png", np.ascontiguousarray(pixels))[1])


def _with_alpha(rgb: NDArray[np.integer], alpha: int) -> NDArray[np.integer]:
    plane = np.full((*rgb.shape[:2], 1), alpha, rgb.dtype)
    return np.concatenate([rgb, plane], axis=-1)


def _png_files() -> Iterator[Container]:
    grey = grey_picture()
    rgb = tinted_picture()
    colour_as_grey = luma(rgb)
    yield Container("png-grey-8", _png(grey), grey)
    yield Container("png-grey-16", _png(widen(grey, bits=16)), grey)
    yield Container("png-grey-16-shifted", _png(grey.astype(np.uint16) << 8), grey)
    yield Container(
        "png-grey-12-in-16", _png(widen(grey, bits=12)), grey, DEPTH_GUESSED
    )
    yield Container(
        "png-grey-8-in-16", _png(grey.astype(np.uint16)), grey, DEPTH_GUESSED
    )
    yield Container("png-rgb-8", _png(rgb), colour_as_grey)
    yield Container("png-rgb-16", _png(widen(rgb, bits=16)), colour_as_grey)
    yield Container(
        "png-rgb-12-in-16", _png(widen(rgb, bits=12)), colour_as_grey, DEPTH_GUESSED
    )
    yield Container("png-rgba-opaque", _png(_with_alpha(rgb, 255)), colour_as_grey)
    yield Container(
        "png-rgba-alpha-0", _png(_with_alpha(rgb, 0)), colour_as_grey, ALPHA_IGNORED
    )
    opaque_16 = _with_alpha(widen(rgb, bits=16), 65535)
    yield Container("png-rgba-16", _png(opaque_16), colour_as_grey)
    image = Image.fromarray(grey)
    grey_alpha = image.copy()
    grey_alpha.putalpha(255)
    yield Container("png-grey-alpha", _encoded(grey_alpha, "PNG"), grey)
    grey_alpha.putalpha(0)
    yield Container(
        "png-grey-alpha-0", _encoded(grey_alpha, "PNG"), grey, ALPHA_IGNORED
    )
    yield Container("png-palette", _encoded(_palette_image(grey), "PNG"), grey)
    inverted = _palette_image(grey, is_inverted=True)
    yield Container("png-palette-inverted", _encoded(inverted, "PNG"), grey)
    dark = (grey // 3).astype(np.uint8)
    yield Container("png-dark-grey-8", _png(dark), dark)
    yield Container("png-dark-grey-16", _png(widen(dark, bits=16)), dark)
    bright_pixel = dark.copy()
    bright_pixel[5, 5] = 255
    yield Container(
        "png-dark-16-with-a-bright-pixel",
        _png(widen(bright_pixel, bits=16)),
        bright_pixel,
    )


def _palette_image(grey: NDArray[np.uint8], is_inverted: bool = False) -> Image.Image:
    """A palette image that shows `grey`; if it is inverted, index 0 is white."""
    levels = np.arange(256, dtype=np.uint8)
    if is_inverted:
        levels = levels[::-1]
    image = Image.fromarray(255 - grey if is_inverted else grey).copy()
    image.putpalette(np.repeat(levels, 3).tobytes())
    return image


def _bmp_files() -> Iterator[Container]:
    grey = grey_picture()
    rgb = tinted_picture()
    colour_as_grey = luma(rgb)
    yield Container("bmp-grey-8", _encoded(Image.fromarray(grey), "BMP"), grey)
    inverted = _palette_image(grey, is_inverted=True)
    yield Container("bmp-palette-inverted", _encoded(inverted, "BMP"), grey)
    yield Container("bmp-rgb", _encoded(Image.fromarray(rgb), "BMP"), colour_as_grey)
    for alpha in (255, 0):
        data = _encoded(Image.fromarray(_with_alpha(rgb, alpha)), "BMP")
        yield Container(f"bmp-rgba-alpha-{alpha}", data, colour_as_grey)


def _webp_files() -> Iterator[Container]:
    rgb = tinted_picture()
    data = _encoded(Image.fromarray(rgb), "WEBP", lossless=True)
    yield Container("webp-lossless", data, luma(rgb))
    data = _encoded(Image.fromarray(_with_alpha(rgb, 255)), "WEBP", lossless=True)
    yield Container("webp-lossless-alpha", data, luma(rgb))


def _tiff(pixels: NDArray[np.integer], **options: object) -> bytes:
    stream = BytesIO()
    tifffile.imwrite(stream, pixels, metadata=None, **options)
    return stream.getvalue()


def _tiff_files() -> Iterator[Container]:
    grey = grey_picture()
    rgb = tinted_picture()
    colour_as_grey = luma(rgb)
    for byte_order, order_name in (("<", "little"), (">", "big")):
        for compression in (None, "zlib"):
            coding = f"{order_name}-{compression or 'plain'}"
            options = {"byteorder": byte_order, "compression": compression}
            for bits in (8, 16):
                values = grey if bits == 8 else widen(grey, bits=16)
                yield Container(
                    f"tiff-grey-{bits}-{coding}",
                    _tiff(values, photometric="minisblack", **options),
                    grey,
                )
                yield Container(
                    f"tiff-grey-{bits}-min-is-white-{coding}",
                    _tiff(np.invert(values), photometric="miniswhite", **options),
                    grey,
                )
                colour = rgb if bits == 8 else widen(rgb, bits=16)
                yield Container(
                    f"tiff-rgb-{bits}-{coding}",
                    _tiff(colour, photometric="rgb", **options),
                    colour_as_grey,
                )
                planes = np.ascontiguousarray(np.moveaxis(colour, -1, 0))
                separate = _tiff(
                    planes, photometric="rgb", planarconfig="separate", **options
                )
                yield Container(
                    f"tiff-rgb-{bits}-separate-{coding}", separate, colour_as_grey
                )
            yield Container(
                f"tiff-grey-12-in-16-{coding}",
                _tiff(widen(grey, bits=12), photometric="minisblack", **options),
                grey,
                DEPTH_GUESSED,
            )
    for kind in ("tiff_lzw", "packbits"):
        data = _encoded(Image.fromarray(grey), "TIFF", compression=kind)
        yield Container(f"tiff-grey-8-{kind}", data, grey)
    yield Container("tiff-palette", _encoded(_palette_image(grey), "TIFF"), grey)
    inverted = _palette_image(grey, is_inverted=True)
    yield Container("tiff-palette-inverted", _encoded(inverted, "TIFF"), grey)
    tiles = _tiff(grey, photometric="minisblack", tile=(64, 64))
    yield Container("tiff-grey-8-tiles", tiles, grey)


def _orientations() -> Iterator[Container]:
    grey = grey_picture()
    for orientation, operation in STORED_BY_ORIENTATION.items():
        stored = Image.fromarray(grey).transpose(operation)
        exif = Image.Exif()
        exif[ORIENTATION_TAG] = orientation
        png = _encoded(stored, "PNG", exif=exif)
        yield Container(f"png-orientation-{orientation}", png, grey, TURNED)
        tiff = _encoded(stored, "TIFF", tiffinfo={ORIENTATION_TAG: orientation})
        yield Container(f"tiff-orientation-{orientation}", tiff, grey, TURNED)
        webp = _encoded(stored.convert("RGB"), "WEBP", lossless=True, exif=exif)
        yield Container(f"webp-orientation-{orientation}", webp, grey, TURNED)
