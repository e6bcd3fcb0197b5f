"""Valid files to mutate: phantoms in every supported encoding, and pydicom's unusual files."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path
from struct import pack
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from PIL import Image
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    RLELossless,
)

from shared.imaging.image import ImageFormat
from shared.phantoms import draw
from tests.support.builders import dicom_file
from trials.fuzz.adam7 import interlaced_png

PACKAGED = Path(pydicom.__file__).parent / "data" / "test_files"
MOST_PACKAGED_BYTES = 60_000
"""pydicom's larger files add time and no encoding."""
LARGE = ("examples_ybr_color.dcm", "examples_jpeg2k.dcm")
"""Save for these: real ultrasound, one a loop of 30 frames."""
SIDE_PX = 96


@dataclass(frozen=True)
class Seed:
    """A sound file."""

    name: str
    format: ImageFormat
    data: bytes


@cache
def seeds() -> tuple[Seed, ...]:
    """All of them, the same in every run."""
    return *_pngs(), *_jpegs(), *_tiffs(), *_bmps(), *_dicoms(), *_packaged()


def phantom(seed: int = 3) -> NDArray[np.uint8]:
    """(SIDE_PX, SIDE_PX) grey."""
    return draw(seed, size_px=SIDE_PX).pixels.astype(np.uint8)


def _saved(picture: Image.Image, kind: str, **options: object) -> bytes:
    stream = BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def _pictures() -> dict[str, Image.Image]:
    grey = Image.fromarray(phantom())
    wide = Image.fromarray(phantom().astype(np.uint16) * 16)
    colour = Image.merge("RGB", [grey, grey.point(lambda value: value // 2), grey])
    clear = Image.merge("RGBA", [*colour.split(), grey])
    return {
        "grey8": grey,
        "grey16": wide,
        "rgb": colour,
        "palette": colour.quantize(64),
        "rgba": clear,
    }


def _pngs() -> Iterator[Seed]:
    pictures = _pictures()
    for name, picture in {**pictures, "bit": pictures["grey8"].convert("1")}.items():
        yield Seed(f"png-{name}", ImageFormat.PNG, _saved(picture, "PNG"))
    yield Seed("png-interlaced", ImageFormat.PNG, interlaced_png(phantom()))


def _jpegs() -> Iterator[Seed]:
    pictures = _pictures()
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "maker"
    variants: dict[str, tuple[Image.Image, dict[str, Any]]] = {
        "grey": (pictures["grey8"], {}),
        "colour": (pictures["rgb"], {}),
        "progressive": (pictures["rgb"], {"progressive": True}),
        "restarts": (pictures["grey8"], {"restart_marker_blocks": 4}),
        "exif": (pictures["rgb"], {"exif": exif, "comment": b"a word"}),
    }
    for name, (picture, options) in variants.items():
        yield Seed(f"jpeg-{name}", ImageFormat.JPEG, _saved(picture, "JPEG", **options))


def _tiffs() -> Iterator[Seed]:
    pictures = _pictures()
    for compression in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
        content = _saved(pictures["rgb"], "TIFF", compression=compression)
        yield Seed(f"tiff-{compression}", ImageFormat.TIFF, content)
    yield Seed("tiff-grey16", ImageFormat.TIFF, _saved(pictures["grey16"], "TIFF"))
    pages = {"save_all": True, "append_images": [pictures["rgb"]]}
    yield Seed(
        "tiff-pages", ImageFormat.TIFF, _saved(pictures["grey8"], "TIFF", **pages)
    )
    yield Seed("tiff-tiled", ImageFormat.TIFF, tiled_tiff(phantom()))


def tiled_tiff(pixels: NDArray[np.uint8]) -> bytes:
    """Uncompressed tiles of 32 x 32 (TIFF 6.0, section 15); both sides a multiple of that."""
    side = 32
    (height, width) = pixels.shape
    tiles = [
        pixels[y : y + side, x : x + side].tobytes()
        for y in range(0, height, side)
        for x in range(0, width, side)
    ]
    entries = 10
    count = len(tiles)
    counts_at = 8 + 2 + 12 * entries + 4
    first = counts_at + 8 * count
    fields = [
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, 3, 1, 8),
        (259, 3, 1, 1),
        (262, 3, 1, 1),
        (277, 3, 1, 1),
    ]
    fields += [
        (322, 4, 1, side),
        (323, 4, 1, side),
        (324, 4, count, counts_at),
        (325, 4, count, counts_at + 4 * count),
    ]
    directory = (
        pack("<H", entries)
        + b"".join(pack("<HHII", *field) for field in fields)
        + bytes(4)
    )
    offsets = pack(
        f"<{count}I", *(first + side * side * index for index in range(count))
    )
    return (
        b"II*\0"
        + pack("<I", 8)
        + directory
        + offsets
        + pack(f"<{count}I", *[side * side] * count)
        + b"".join(tiles)
    )


def _bmps() -> Iterator[Seed]:
    pictures = _pictures()
    for name in ("grey8", "rgb"):
        yield Seed(f"bmp-{name}", ImageFormat.BMP, _saved(pictures[name], "BMP"))


def _dicoms() -> Iterator[Seed]:
    grey = phantom()
    colour = np.stack([grey] * 3, -1)
    loop = np.stack([grey] * 3)
    kinds: dict[str, Callable[[], bytes]] = {
        "grey8": lambda: dicom_file(grey, Manufacturer="Maker", PatientName="A^Name"),
        "grey16": lambda: dicom_file(grey.astype(np.uint16) * 16),
        "rgb": lambda: dicom_file(colour),
        "loop": lambda: dicom_file(loop, NumberOfFrames=3),
        "regions": lambda: dicom_file(grey, SequenceOfUltrasoundRegions=[_region()]),
        "rle": lambda: _compressed(dicom_file(grey), RLELossless),
        "rle-loop": lambda: _compressed(
            dicom_file(loop, NumberOfFrames=3), RLELossless
        ),
        "j2k": lambda: _compressed(dicom_file(grey), JPEG2000Lossless),
        "j2k-loop": lambda: _compressed(
            dicom_file(loop, NumberOfFrames=3), JPEG2000Lossless
        ),
        "jpeg": lambda: _in_jpeg(1),
        "jpeg-loop": lambda: _in_jpeg(3),
        "deflated": lambda: _deflated(dicom_file(grey)),
    }
    for name, make in kinds.items():
        yield Seed(f"dicom-{name}", ImageFormat.DICOM, make())


def _region() -> Dataset:
    item = Dataset()
    item.RegionSpatialFormat = item.RegionDataType = 1
    item.RegionLocationMinX0 = item.RegionLocationMinY0 = 8
    item.RegionLocationMaxX1 = item.RegionLocationMaxY1 = 87
    item.PhysicalUnitsXDirection = item.PhysicalUnitsYDirection = 3
    item.PhysicalDeltaX = item.PhysicalDeltaY = 0.01
    return item


def _compressed(data: bytes, syntax: UID) -> bytes:
    dataset = dcmread(BytesIO(data))
    dataset.compress(syntax, generate_instance_uid=False)
    return _written(dataset)


def _in_jpeg(frames: int) -> bytes:
    dataset = dcmread(BytesIO(dicom_file(phantom())))
    dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    if frames > 1:
        dataset.NumberOfFrames = frames
    dataset.PixelData = encapsulate(
        [_saved(Image.fromarray(phantom(index)), "JPEG") for index in range(frames)]
    )
    dataset["PixelData"].VR = "OB"
    return _written(dataset)


def _deflated(data: bytes) -> bytes:
    dataset = dcmread(BytesIO(data))
    dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    return _written(dataset)


def _written(dataset: Dataset) -> bytes:
    stream = BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def _packaged() -> Iterator[Seed]:
    for path in sorted(PACKAGED.glob("*.dcm")):
        if path.stat().st_size <= MOST_PACKAGED_BYTES or path.name in LARGE:
            yield Seed(f"pydicom-{path.stem}", ImageFormat.DICOM, path.read_bytes())
