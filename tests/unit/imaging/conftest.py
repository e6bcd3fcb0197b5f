from collections.abc import Callable
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from tests.support.builders import dicom_file


@pytest.fixture
def speckle() -> np.ndarray:
    """Grey (48, 64) with a bright upper left corner, so that a wrong orientation is visible."""
    pixels = np.random.default_rng(1).integers(0, 120, (48, 64)).astype(np.uint8)
    pixels[:16, :16] = 250
    return pixels


@pytest.fixture
def encode() -> Callable[..., bytes]:
    """Encodes an array or a Pillow image in a Pillow format."""

    def encode_image(
        picture: np.ndarray | Image.Image, kind: str = "PNG", **options: object
    ) -> bytes:
        image = (
            picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
        )
        stream = BytesIO()
        image.save(stream, kind, **options)
        return stream.getvalue()

    return encode_image


@pytest.fixture
def dicom() -> Callable[..., bytes]:
    """Builds an uncompressed DICOM file of grey or RGB pixels; keywords set its elements."""
    return dicom_file
