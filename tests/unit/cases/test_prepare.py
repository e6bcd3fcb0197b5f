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

EARLIER = Finding("first-page", "Said before.")


def test_burnt_in_text_is_told_beside_what_was_found_before_and_changes_no_pixel():
    pixels = np.zeros((80, 240), np.uint8)
    cv2.putText(
        pixels, "DOE JANE", (8, 40), cv2.FONT_HERSHEY_SIMPLEX, 0.7, 200, 1, cv2.LINE_AA
    )
    image = UltrasoundImage(pixels.copy(), ImageFormat.PNG, findings=(EARLIER,))
    seen = with_text_finding(image)
    assert seen.findings == (EARLIER, BURNT_IN_TEXT)
    assert (seen.pixels == pixels).all()
    assert with_text_finding(replace(image, region=Box(0, 0, 9, 9))).findings == (
        EARLIER,
    )


def test_a_photo_is_told_and_a_file_is_not():
    data = png(3)
    codes = {
        source: [
            finding.code for finding in prepare(data, Framing(), source=source).findings
        ]
        for source in ImageSource
    }
    assert PHOTO.code in codes[ImageSource.PHOTO]
    assert PHOTO.code not in codes[ImageSource.FILE]


def test_a_mask_is_the_roi():
    phantom = draw(3, size_px=128)
    nodule = prepare(encode(phantom.pixels), Framing(), mask=encode(phantom.mask * 255))
    assert nodule.has_outline
    assert NO_ROI not in nodule.findings
    assert nodule.mask.sum() == phantom.mask.sum()


def test_an_image_is_decoded_where_the_caller_says_and_its_frame_is_asked_for():
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
