"""A case's image as a browser can show it: upright, grey, without anything that a file may say beside it."""

import cv2

from services.api.dependencies import Dependencies
from shared.ledger.cases.repository import Case


def png(dependencies: Dependencies, case: Case) -> bytes:
    image = dependencies.decoder_pool.decode(dependencies.objects.get(case.image_sha256), case.frame)
    return cv2.imencode(".png", image.pixels)[1].tobytes()
