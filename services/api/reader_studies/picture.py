"""A case's image as a browser can show it: upright, grey, without anything that a file may say beside it."""

import cv2

from services.api.dependencies import Wiring
from shared.imaging import decode
from shared.ledger.cases import Case


def png(wired: Wiring, case: Case) -> bytes:
    """Only of a case with a result, whose image a worker's decoder has read already."""
    image = decode(wired.objects.get(case.image_sha256), frame=case.frame)
    return cv2.imencode(".png", image.pixels)[1].tobytes()
