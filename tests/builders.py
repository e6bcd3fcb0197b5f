"""Valid examples that tests change where it matters."""

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.ledger.cases import NewCase
from shared.phantoms import draw

CASE = NewCase("a" * 64, 1000, "png", 300, 300, 14.5, None, "case-1")


def png(seed: int = 0, malignant: bool | None = None) -> bytes:
    """A phantom as a PNG file."""
    return encode(draw(seed, malignant, size_px=128).pixels)


def encode(pixels: NDArray) -> bytes:
    return cv2.imencode(".png", pixels.astype(np.uint8))[1].tobytes()


def form(image: bytes | None = None, **fields: object) -> dict[str, dict]:
    """The parts of a submission, for an HTTP client; a field given as None is left out."""
    told = {"size_mm": 14.5, **fields}
    data = {name: str(value) for name, value in told.items() if value is not None}
    return {"data": data, "files": {"image": ("nodule.png", png() if image is None else image, "image/png")}}


SMALL_RECIPE = {
    "name": "small",
    "version": "1",
    "source": "the tests",
    "roi": {"margin": 0.1},
    "features": [
        {"network": "sera_tiny", "taps": ["avg"], "tuning": "phantoms"},
        {"families": ["shape", "intensity"]},
    ],
    "classifiers": [{"kind": "svm", "kernel": ["rbf"], "C": [1]}, {"kind": "forest", "trees": 8}],
    "validation": {"folds": 2},
    "phantoms": {"count": 33, "epochs": 1, "batch": 33, "rate": 0.05},
}
