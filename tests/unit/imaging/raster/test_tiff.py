from io import BytesIO

import numpy as np
import pytest
import tifffile

from shared.imaging import ImageUnreadable, UnsupportedImage, decode
from shared.imaging.deidentify import clean

KEY = b"key"


@pytest.mark.parametrize("photometric", [0, 1], ids=["white is 0", "black is 0"])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("bits", [1, 2, 4, 6, 8, 10, 12, 14, 16, 32])
def test_polarity_holds_at_every_depth_and_byte_order(
    bits, order, photometric, speckle, packed_tiff
):
    white = 2**bits - 1
    levels = np.rint(speckle / 255 * white).astype(np.int64)
    levels[0, 0] = white
    expected = np.rint(levels / white * 255)
    stored = white - levels if photometric == 0 else levels
    for fill_order in (1, 2) if bits not in (16, 32) else (1,):
        data = packed_tiff(
            stored,
            bits=bits,
            photometric=photometric,
            order=order,
            fill_order=fill_order,
        )
        image = decode(data)
        assert (image.pixels == expected).all()
        assert image.findings == ()
        assert (decode(clean(data, KEY).data).pixels == expected).all()


@pytest.mark.parametrize("compression", ["lzw", "zlib", "packbits"])
@pytest.mark.parametrize("factor", [1, 257], ids=["8 bits", "16 bits"])
def test_compressed_strips_tiles_and_planes_are_read(
    factor, compression, speckle, tiff
):
    kind = np.uint8 if factor == 1 else np.uint16
    grey = (speckle.astype(np.uint16) * factor).astype(kind)
    rgb = np.repeat(grey[..., None], 3, axis=2)
    files = (
        tiff(grey, compression=compression, rowsperstrip=7),
        tiff(grey, compression=compression, tile=(16, 16)),
        tiff(
            grey.max() - grey + grey.min(),
            compression=compression,
            photometric="minisblack",
        ),
        tiff(rgb, compression=compression, photometric="rgb"),
        tiff(
            np.moveaxis(rgb, 2, 0),
            compression=compression,
            photometric="rgb",
            planarconfig="separate",
        ),
    )
    inverse = speckle.max() - speckle + speckle.min()
    for index, data in enumerate(files):
        expected = inverse if index == 2 else speckle
        assert (decode(data).pixels == expected).all()


@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_a_big_tiff_is_read_and_becomes_a_tiff(byteorder, speckle, tiff):
    for options in ({}, {"tile": (16, 16)}, {"compression": "lzw"}):
        data = tiff(speckle, bigtiff=True, byteorder=byteorder, **options)
        cleaned = clean(data, KEY).data
        assert (data[2:4].strip(b"\0"), cleaned[2:4].strip(b"\0")) == (b"+", b"*")
        for stored in (data, cleaned):
            assert (decode(stored).pixels == speckle).all()


@pytest.mark.parametrize("meaning", ["unassalpha", "assocalpha", "unspecified"])
@pytest.mark.parametrize("factor", [1, 257], ids=["8 bits", "16 bits"])
def test_a_further_channel_hides_only_if_it_is_alpha(factor, meaning, speckle, tiff):
    kind = np.uint8 if factor == 1 else np.uint16
    expected = speckle.copy()
    expected[:, :20] = 250
    grey = (expected.astype(np.uint16) * factor).astype(kind)
    further = np.full_like(grey, 255 * factor)
    further[:, :20] = 0
    if meaning == "unassalpha":
        expected[:, :20] = 0
    data = tiff(
        np.stack([grey, further], axis=2),
        photometric="minisblack",
        planarconfig="contig",
        extrasamples=[meaning],
    )
    for stored in (data, clean(data, KEY).data):
        assert (decode(stored).pixels == expected).all()


def test_what_cannot_be_read_is_named(tiff, packed_tiff):
    floating = tiff(np.ones((16, 16), np.float32))
    negative = tiff(np.full((16, 16), -5, np.int16))
    lab = tiff(np.ones((16, 16, 3), np.uint8), photometric="cielab")
    large_tile = packed_tiff(
        np.ones((16, 16), np.uint8),
        bits=8,
        photometric=1,
        order="<",
        tags={322: ("I", 2**20), 323: ("I", 2**20)},
    )
    for data, name in (
        (floating, "floating-point"),
        (negative, "negative"),
        (lab, "PhotometricInterpretation 8"),
        (large_tile, "tiles above 4096"),
    ):
        with pytest.raises(UnsupportedImage, match=name):
            decode(data)


def test_signed_samples_without_negative_values_are_read(speckle, tiff):
    values = np.rint(speckle / 255 * 32767).astype(np.int16)
    assert (decode(tiff(values)).pixels == speckle).all()


@pytest.mark.parametrize("share", [0.4, 0.95])
def test_a_tiff_that_ends_within_its_pixels_is_refused(share, speckle, packed_tiff):
    data = packed_tiff(speckle, bits=8, photometric=1, order="<")
    header_first = bytearray(data)
    strip_end = 8 + speckle.size
    header_first = (
        data[:4] + (8).to_bytes(4, "little") + data[strip_end:] + data[8:strip_end]
    )
    offset = 8 + len(data) - strip_end
    entry = header_first.index((273).to_bytes(2, "little") + (4).to_bytes(2, "little"))
    moved = bytearray(header_first)
    moved[entry + 8 : entry + 12] = offset.to_bytes(4, "little")
    assert (decode(bytes(moved)).pixels == speckle).all()
    with pytest.raises(ImageUnreadable, match="cut short"):
        decode(bytes(moved[: int(len(moved) * share)]))


def test_a_colour_map_of_8_bits_is_not_black(speckle):
    levels = np.tile(np.arange(256, dtype=np.uint16), (3, 1))
    stream = BytesIO()
    tifffile.imwrite(stream, speckle, photometric="palette", colormap=levels)
    data = stream.getvalue()
    for image in (decode(data), decode(clean(data, b"key").data)):
        np.testing.assert_array_equal(image.pixels, speckle)
