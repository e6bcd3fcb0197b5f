from collections.abc import Callable
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, UltrasoundImageStorage, generate_uid


@pytest.fixture
def speckle() -> np.ndarray:
    """Grey (48, 64) with a bright upper left corner, so that a wrong turn shows."""
    pixels = np.random.default_rng(1).integers(0, 120, (48, 64)).astype(np.uint8)
    pixels[:16, :16] = 250
    return pixels


@pytest.fixture
def encode() -> Callable[..., bytes]:
    """Bytes of an array or Pillow image in a Pillow format."""

    def encoded(picture: np.ndarray | Image.Image, kind: str = "PNG", **options: object) -> bytes:
        image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
        stream = BytesIO()
        image.save(stream, kind, **options)
        return stream.getvalue()

    return encoded


@pytest.fixture
def dicom() -> Callable[..., bytes]:
    """Bytes of an uncompressed DICOM file of grey or RGB pixels; keywords set or replace elements."""

    def built(pixels: np.ndarray, **elements: object) -> bytes:
        dataset = Dataset()
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset.SOPClassUID = UltrasoundImageStorage
        dataset.SOPInstanceUID = generate_uid(entropy_srcs=["sera"])
        rgb = pixels.shape[-1] == 3
        dataset.Rows, dataset.Columns = pixels.shape[-3:-1] if rgb else pixels.shape[-2:]
        dataset.SamplesPerPixel = 3 if rgb else 1
        dataset.PhotometricInterpretation = "RGB" if rgb else "MONOCHROME2"
        dataset.BitsAllocated = dataset.BitsStored = pixels.dtype.itemsize * 8
        dataset.HighBit = dataset.BitsStored - 1
        dataset.PixelRepresentation = 0
        if rgb:
            dataset.PlanarConfiguration = 0
        dataset.PixelData = pixels.tobytes()
        dataset["PixelData"].VR = "OW" if pixels.dtype.itemsize == 2 else "OB"
        for name, value in elements.items():
            setattr(dataset, name, value)
        stream = BytesIO()
        dataset.save_as(stream, enforce_file_format=True)
        return stream.getvalue()

    return built
