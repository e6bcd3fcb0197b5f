from dataclasses import replace

import cv2
import numpy as np

from shared.cases.prepare import PHOTO, prepare, with_text_finding
from shared.domain.image_source import ImageSource
from shared.domain.results.findings import Finding
from shared.imaging import Box, Framing, ImageFormat, Roi, UltrasoundImage, decode
from shared.imaging.deidentify import BURNT_IN_TEXT
from shared.imaging.regions.crop import NO_ROI
from shared.phantoms import draw
from tests.support.builders import encode, png

EARLIER = Finding("first-page", "An earlier finding.")


def test_burnt_in_text_is_an_additional_finding_and_changes_no_pixel():
    pixels = np.zeros((80, 240), np.uint8)
    cv2.putText(
        pixels,
        text="DOE JANE",
        org=(8, 40),
        fontFace=cv2.FONT_HERSHEY_SIMPLEX,
        fontScale=0.7,
        color=200,
        thickness=1,
        lineType=cv2.LINE_AA,
    )
    image = UltrasoundImage(pixels.copy(), ImageFormat.PNG, findings=(EARLIER,))
    checked = with_text_finding(image)
    [earlier, text] = checked.findings
    assert (earlier, text.code) == (EARLIER, BURNT_IN_TEXT)
    assert (checked.pixels == pixels).all()
    with_region = replace(image, region=Box(0, 0, 9, 9))
    assert with_text_finding(with_region).findings == checked.findings


def test_a_photo_has_a_finding_and_a_file_has_none():
    data = png(3)
    photo = prepare(data, Framing(), source=ImageSource.PHOTO)
    file = prepare(data, Framing(), source=ImageSource.FILE)
    assert PHOTO in photo.findings
    assert PHOTO not in file.findings


def test_a_mask_is_the_roi():
    phantom = draw(3, size_px=128)
    nodule = prepare(encode(phantom.pixels), Framing(), mask=encode(phantom.mask * 255))
    assert nodule.has_outline
    assert NO_ROI not in nodule.findings
    assert nodule.mask.sum() == phantom.mask.sum()


def test_the_given_decoder_gets_the_image_and_the_frame():
    calls = []

    def decoder(data, frame):
        calls.append((data, frame))
        return decode(data)

    data = png(3)
    nodule = prepare(
        data, Framing(), roi=Roi(box=(20, 20, 60, 60)), frame=None, decoder=decoder
    )
    assert calls == [(data, None)]
    assert nodule.pixels.shape == (60, 60)
