from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from pydicom import examples

from shared.imaging import FrameMissing, Header, ImageFormat, decode, inspect


@pytest.fixture
def loop(speckle, dicom) -> bytes:
    return dicom(np.stack([speckle // 4, speckle, speckle // 2]), NumberOfFrames=3)


@pytest.mark.parametrize(("frame", "divisor"), [(1, 4), (2, 1), (3, 2)])
def test_the_frame_asked_for_is_read_counted_from_one(frame, divisor, loop, speckle):
    image = decode(loop, frame=frame)
    assert (image.pixels == speckle // divisor).all()
    assert f"frame {frame}, as chosen" in image.findings[0].message


@pytest.mark.parametrize("frame", [0, -1, 4, 10**30])
def test_a_frame_that_is_not_there_is_refused_with_how_many_there_are(frame, loop):
    with pytest.raises(
        FrameMissing, match=f"no frame {frame} to read: the file holds 3"
    ) as refusal:
        decode(loop, frame=frame)
    assert (refusal.value.code, refusal.value.status) == ("frame-absent", 422)


def test_a_single_image_has_a_first_frame_and_no_second(speckle, encode, dicom):
    for data in (encode(speckle), dicom(speckle)):
        assert (decode(data, frame=1).pixels == speckle).all()
        assert decode(data, frame=1).findings == ()
        with pytest.raises(FrameMissing, match="holds 1"):
            decode(data, frame=2)


def test_of_several_pages_of_a_tiff_only_the_first_can_be_asked_for(speckle, encode):
    data = encode(
        speckle, "TIFF", save_all=True, append_images=[Image.fromarray(speckle)]
    )
    assert inspect(BytesIO(data)).frames == 2
    with pytest.raises(FrameMissing, match="holds 1"):
        decode(data, frame=2)


def test_the_header_alone_tells_whether_a_frame_is_there():
    header = Header(ImageFormat.DICOM, 64, 48, frames=30)
    assert [header.frame_index(frame) for frame in (None, 1, 30)] == [15, 0, 29]
    with pytest.raises(FrameMissing):
        header.frame_index(31)


def test_compressed_frames_of_a_real_loop_differ_and_the_middle_one_is_the_default():
    data = examples.get_path("ybr_color").read_bytes()
    first, middle, default = (
        decode(data, frame=frame).pixels for frame in (1, 16, None)
    )
    assert (middle == default).all()
    assert (first != middle).any()
