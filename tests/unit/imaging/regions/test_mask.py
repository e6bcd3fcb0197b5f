from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from shared.imaging import (
    Box,
    EmptyImage,
    ImageUnreadable,
    MaskMismatch,
    read_mask,
    read_mask_roi,
)

INSIDE = np.zeros((12, 20), bool)
INSIDE[2:10, 5:15] = True


def encoded(kind: str, value: int) -> bytes:
    stream = BytesIO()
    Image.fromarray(INSIDE.astype(np.uint8) * value).save(stream, kind)
    return stream.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "GIF", "BMP", "TIFF"])
@pytest.mark.parametrize("value", [1, 255])
def test_a_mask_is_true_where_the_raster_is_not_zero(kind, value):
    np.testing.assert_array_equal(read_mask(encoded(kind, value), 20, 12), INSIDE)


def test_a_mask_of_another_size_is_refused():
    with pytest.raises(MaskMismatch, match="20 x 12 pixels, its image 12 x 20"):
        read_mask(encoded("PNG", 255), 12, 20)


def test_what_is_no_mask_is_refused():
    with pytest.raises(EmptyImage):
        read_mask(b"", 20, 12)
    for data in (b"text", encoded("PNG", 255)[:40]):
        with pytest.raises(ImageUnreadable, match="MASK"):
            read_mask(data, 20, 12)


def test_an_outline_holds_the_mask_it_was_read_from():
    roi = read_mask_roi(encoded("PNG", 255), 20, 12)
    np.testing.assert_array_equal(roi.mask(Box(0, 0, 20, 12)), INSIDE)


def test_an_empty_mask_outlines_nothing():
    assert read_mask_roi(encoded("PNG", 0), 20, 12) is None
