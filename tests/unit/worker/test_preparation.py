from dataclasses import replace

import cv2
import numpy as np

from services.worker.preparation import looked_at
from shared.imaging import Box, Finding, ImageFormat, UltrasoundImage
from shared.imaging.deidentify import BURNT_IN_TEXT

EARLIER = Finding("first-page", "Said before.")


def test_burnt_in_text_is_told_beside_what_was_found_before_and_changes_no_pixel():
    pixels = np.zeros((80, 240), np.uint8)
    cv2.putText(pixels, "DOE JANE", (8, 40), cv2.FONT_HERSHEY_SIMPLEX, 0.7, 200, 1, cv2.LINE_AA)
    image = UltrasoundImage(pixels.copy(), ImageFormat.PNG, findings=(EARLIER,))
    seen = looked_at(image)
    assert seen.findings == (EARLIER, BURNT_IN_TEXT)
    assert (seen.pixels == pixels).all()
    assert looked_at(replace(image, region=Box(0, 0, 9, 9))).findings == (EARLIER,)
