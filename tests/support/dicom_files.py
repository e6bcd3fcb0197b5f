"""Builds DICOM files whose header and pixels need not agree."""

from io import BytesIO

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydicom import dcmread
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.tag import Tag
from pydicom.uid import UID

from shared.imaging import NoduleMask, UltrasoundImage
from shared.imaging.deidentify import CleanedFile
from tests.support.builders import dicom_file

ADOBE_MARKER = b"\xff\xee"
START_OF_FRAME = b"\xff\xc0"
START_OF_SCAN = b"\xff\xda"


def tissue(width: int = 96, height: int = 64) -> NDArray[np.uint8]:
    """Smooth grey like an ultrasound picture, from 20 to 220, without symmetry."""
    noise = np.random.default_rng(5).normal(size=(height, width)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 2) + np.linspace(0, 0.6, width)
    low, high = smooth.min(), smooth.max()
    grey: NDArray[np.uint8] = (20 + 200 * (smooth - low) / (high - low)).astype(
        np.uint8
    )
    return grey


def colour_tissue() -> NDArray[np.uint8]:
    """The picture of `tissue` as RGB with a patch of colour, (64, 96, 3)."""
    rgb = np.repeat(tissue()[..., None], 3, axis=2)
    rgb[8:20, 10:30] = (200, 40, 30)
    return rgb


def grey_of(rgb: NDArray[np.uint8]) -> NDArray[np.int64]:
    return cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(int)


def encapsulated(
    frame: bytes, syntax: str, pixels: NDArray[np.uint8], **elements: object
) -> bytes:
    """A file of one coded frame, under a header that says what `pixels` are."""
    dataset = dcmread(BytesIO(dicom_file(pixels, **elements)))
    dataset.PixelData = encapsulate([frame])
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    return saved(dataset)


def edited(data: bytes, *removed: str, **elements: object) -> bytes:
    """A file without some elements, and with others set or replaced."""
    dataset = dcmread(BytesIO(data))
    for name in removed:
        del dataset[name]
    for name, value in elements.items():
        setattr(dataset, name, value)
    return saved(dataset)


def compressed(data: bytes, syntax: str, **elements: object) -> bytes:
    """A file whose pixels pydicom codes, and whose header is changed afterwards."""
    dataset = dcmread(BytesIO(data))
    dataset.compress(UID(syntax), generate_instance_uid=False)
    return edited(saved(dataset), **elements)


def codes(image: UltrasoundImage | CleanedFile | NoduleMask) -> list[str]:
    """The codes of the findings of an image, a cleaned file or a mask."""
    return [finding.code for finding in image.findings]


def region(
    left: int = 4, top: int = 2, right: int = 59, bottom: int = 41, **elements: object
) -> Dataset:
    """A B-mode region with pixels of 0.5 x 0.4 mm; keywords set or replace elements."""
    item = Dataset()
    item.RegionSpatialFormat = 1
    item.RegionDataType = 1
    item.RegionLocationMinX0 = left
    item.RegionLocationMinY0 = top
    item.RegionLocationMaxX1 = right
    item.RegionLocationMaxY1 = bottom
    item.PhysicalUnitsXDirection = item.PhysicalUnitsYDirection = 3
    item.PhysicalDeltaX = 0.05
    item.PhysicalDeltaY = 0.04
    for name, value in elements.items():
        setattr(item, name, value)
    return item


def saved(dataset: Dataset) -> bytes:
    stream = BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def with_raw_value(data: bytes, keyword: str, text: str) -> bytes:
    """A file with a text as the bytes of an element, whatever its representation allows."""
    tag = Tag(keyword)
    dataset = dcmread(BytesIO(data))
    dataset[keyword] = DataElement(tag, "LO", text)
    tag_bytes = tag.group.to_bytes(2, "little") + tag.element.to_bytes(2, "little")
    vr = dictionary_VR(tag)[:2].encode()
    return saved(dataset).replace(tag_bytes + b"LO", tag_bytes + vr)


def jpeg(pixels: NDArray[np.uint8], **options: object) -> bytes:
    stream = BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=97, **options)
    return stream.getvalue()


def without_markers(frame: bytes) -> bytes:
    """A JPEG without its application segments, as many scanners write them."""
    offset = 2
    while frame[offset + 1] & 0xF0 == 0xE0:
        offset += 2 + int.from_bytes(frame[offset + 2 : offset + 4], "big")
    return frame[:2] + frame[offset:]


def with_adobe_marker(frame: bytes, transform: int) -> bytes:
    content = b"Adobe\0\x64\0\0\0\0" + bytes([transform])
    length = (len(content) + 2).to_bytes(2, "big")
    return frame[:2] + ADOBE_MARKER + length + content + frame[2:]


def rgb_jpeg_without_hint(rgb: NDArray[np.uint8]) -> bytes:
    """A JPEG of red, green and blue under the component ids 1, 2 and 3, without markers."""
    frame = bytearray(without_markers(jpeg(rgb, keep_rgb=True, subsampling=0)))
    components = frame.index(START_OF_FRAME) + 10
    scan = frame.index(START_OF_SCAN) + 5
    for index in range(3):
        frame[components + 3 * index] = index + 1
        frame[scan + 2 * index] = index + 1
    return bytes(frame)


KEY = b"key"
"""A key of de-identification."""
GREY = tissue()
RGB = colour_tissue()
DEEP = GREY.astype(np.uint16) * 16 + GREY // 16
"""The grey picture in 12 bits."""
CONTRADICTION = "header-contradicts-pixels"
