"""Valid examples that tests change where it matters."""

import cv2

from shared.ledger.cases import NewCase
from shared.phantoms import draw

CASE = NewCase("a" * 64, 1000, "png", 300, 300, 14.5, None, "case-1")


def png(seed: int = 0, malignant: bool | None = None) -> bytes:
    """A phantom as a PNG file."""
    pixels = draw(seed, malignant, size_px=128).pixels
    return cv2.imencode(".png", pixels)[1].tobytes()


def form(image: bytes | None = None, **fields: object) -> dict[str, dict]:
    """The parts of a submission, for an HTTP client; a field given as None is left out."""
    told = {"size_mm": 14.5, **fields}
    data = {name: str(value) for name, value in told.items() if value is not None}
    return {"data": data, "files": {"image": ("nodule.png", png() if image is None else image, "image/png")}}
