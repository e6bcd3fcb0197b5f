"""The images of a load: phantoms in several formats and sizes, each marked with its case number.

Phantoms are drawn before the load; a case then costs only marking and encoding, some milliseconds.
Without the mark the object store, which addresses objects by content, would store a few dozen
images however many cases come.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO

import cv2
import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, UltrasoundImageStorage, generate_uid

from shared.phantoms import draw

Pixels = NDArray[np.uint8]
PHANTOMS = 8
DRAWN_PX = 256
"""Drawn once; larger ones are drawn out, which costs a hundredth of the time."""
BITS = (2, 8)
BLOCK_PX = 8
DARK = 8
BRIGHT = 56
"""A mark of 16 blocks, large and plain enough to outlive JPEG."""
QUALITY = 90


@dataclass(frozen=True)
class Format:
    name: str
    size_px: int
    encode: Callable[[Pixels], bytes]

    @property
    def description(self) -> str:
        return f"{self.name} {self.size_px} px"


class ImageSource:
    """Makes the image of each case from phantoms that are drawn once."""

    def __init__(self, formats: Sequence[Format]) -> None:
        self._formats = formats
        phantoms = [draw(seed, size_px=DRAWN_PX).pixels for seed in range(PHANTOMS)]
        sizes_px = {image_format.size_px for image_format in formats}
        self._drawn = {
            size: [
                np.asarray(cv2.resize(pixels, (size, size)), np.uint8)
                for pixels in phantoms
            ]
            for size in sizes_px
        }

    def image(self, number: int) -> tuple[str, bytes]:
        """Name and content of the file of a case; formats and phantoms come by turns."""
        image_format = self._formats[number % len(self._formats)]
        phantoms = self._drawn[image_format.size_px]
        pixels = mark_with_number(
            phantoms[number // len(self._formats) % len(phantoms)], number
        )
        return f"nodule.{image_format.name}", image_format.encode(pixels)


def mark_with_number(pixels: Pixels, number: int) -> Pixels:
    """A copy with the number in its upper left corner."""
    bits = (number >> np.arange(BITS[0] * BITS[1])) & 1
    blocks = np.where(bits.reshape(BITS), BRIGHT, DARK).astype(np.uint8)
    corner = blocks.repeat(BLOCK_PX, axis=0).repeat(BLOCK_PX, axis=1)
    copy = pixels.copy()
    copy[: corner.shape[0], : corner.shape[1]] = corner
    return copy


def png(pixels: Pixels) -> bytes:
    return cv2.imencode(".png", pixels)[1].tobytes()


def jpeg(pixels: Pixels) -> bytes:
    return cv2.imencode(".jpg", pixels, (cv2.IMWRITE_JPEG_QUALITY, QUALITY))[
        1
    ].tobytes()


def tiff(pixels: Pixels) -> bytes:
    return cv2.imencode(".tif", pixels)[1].tobytes()


def bmp(pixels: Pixels) -> bytes:
    return cv2.imencode(".bmp", pixels)[1].tobytes()


def dicom(pixels: Pixels) -> bytes:
    """An uncompressed ultrasound image in grey, as a scanner sends it (PS3.3 A.6)."""
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.SOPClassUID = UltrasoundImageStorage
    image.SOPInstanceUID = generate_uid()
    image.Modality = "US"
    image.Rows, image.Columns = pixels.shape
    image.SamplesPerPixel = 1
    image.PhotometricInterpretation = "MONOCHROME2"
    image.PixelRepresentation = 0
    image.BitsAllocated = 8
    image.BitsStored = 8
    image.HighBit = 7
    image.PixelData = pixels.tobytes()
    image["PixelData"].VR = "OB"
    stream = BytesIO()
    image.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


FORMATS = (
    Format("png", 256, png),
    Format("jpg", 512, jpeg),
    Format("dcm", 512, dicom),
    Format("png", 384, png),
    Format("tif", 256, tiff),
    Format("jpg", 768, jpeg),
    Format("bmp", 256, bmp),
)
