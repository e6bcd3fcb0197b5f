"""Builds valid examples. A test changes the part that it is about."""

import json
from dataclasses import replace
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, UltrasoundImageStorage, generate_uid

from services.api.jobs.schemas import RESULT
from shared.domain.results.fna import FnaAdvice
from shared.domain.results.result import Result
from shared.guidelines import recommend
from shared.learning import FittedModel, fit, phantom_samples
from shared.ledger.cases.repository import NewCase
from shared.networks import WeightsFinder
from shared.phantoms import draw
from shared.recipes import read_recipe
from tests.support.run_cache import RunCache
from trials.chaos.model import RECIPE

MARK_GREY = 210
CASE = NewCase(
    image_sha256="a" * 64,
    image_bytes=1000,
    image_format="png",
    width=300,
    height=300,
    size_mm=14.5,
    roi=None,
    external_id="case-1",
)


@cache
def png(seed: int = 0, malignant: bool | None = None) -> bytes:
    """A phantom as a PNG file."""
    return encode(draw(seed, malignant, size_px=128).pixels)


@cache
def outlined_phantom(seed: int) -> tuple[bytes, bytes]:
    """A phantom and its mask as PNG files; every other one is malignant."""
    phantom = draw(seed, malignant=seed % 2 == 0, size_px=128)
    return encode(phantom.pixels), encode(phantom.mask * 255)


def encode(pixels: NDArray[np.integer]) -> bytes:
    return cv2.imencode(".png", pixels.astype(np.uint8))[1].tobytes()


def result(**changes: Any) -> Result:
    """A result. `changes` are fields of it."""
    return replace(RESULT, **changes)


def fna_advice(recommended: bool) -> FnaAdvice:
    """Advice for a nodule of 14.5 mm."""
    return recommend(0.42 if recommended else 0.01, 14.5)


def form(image: bytes | None = None, **fields: object) -> dict[str, dict[str, Any]]:
    """The parts of a submission, for an HTTP client. A field with the value None is left out."""
    fields_with_size = {"size_mm": 14.5, **fields}
    data = {
        name: str(value)
        for name, value in fields_with_size.items()
        if value is not None
    }
    file = ("nodule.png", png() if image is None else image, "image/png")
    return {"data": data, "files": {"image": file}}


SMALL_RECIPE = RECIPE | {"name": "small", "source": "the tests"}


@cache
def small_model() -> FittedModel:
    """A model of the small recipe, fitted once in a test run."""
    file = RunCache.path(
        "small-model", lambda path: torch.save(_fit_small_model(), path)
    )
    model = torch.load(file, weights_only=False)
    assert isinstance(model, FittedModel)
    return model


def _fit_small_model() -> FittedModel:
    weights = WeightsFinder(None, Path("nowhere"), download=False)
    return fit(phantom_samples(24, 0), read_recipe(SMALL_RECIPE), weights)


def as_format_2(folder: Path) -> Path:
    """Turn a bundle into one of format 2, which had no evidence."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_bytes())
    del manifest["evidence"]
    del manifest["training"]["patients"]
    del manifest["training"]["sites"]
    del manifest["files"]["evidence.safetensors"]
    for name in (
        "true_positives",
        "false_negatives",
        "false_positives",
        "true_negatives",
    ):
        del manifest["metrics"][name]
    (folder / "evidence.safetensors").unlink()
    path.write_text(json.dumps({**manifest, "format": 2}))
    return folder


class Screen:
    """Speckle with marks on it, as scanners draw them."""

    def __init__(self, width: int = 300, height: int = 300, seed: int = 2) -> None:
        plain = draw(seed, size_px=max(width, height)).pixels[:height, :width]
        self.plain = np.minimum(plain, 170)
        self.pixels = self.plain.copy()

    def end(
        self, x: int, y: int, kind: str = "+", half: int = 7, grey: int = MARK_GREY
    ) -> "Screen":
        shape = cv2.MARKER_CROSS if kind == "+" else cv2.MARKER_TILTED_CROSS
        cv2.drawMarker(
            self.pixels, (x, y), grey, shape, markerSize=2 * half, thickness=1
        )
        return self

    def open_plus(self, x: int, y: int, half: int = 8) -> "Screen":
        """A plus with a gap around its centre, and a dot in the centre."""
        for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            neighbour = (x + 3 * dx, y + 3 * dy)
            far = (x + half * dx, y + half * dy)
            cv2.line(self.pixels, neighbour, far, MARK_GREY, 1)
        self.pixels[y, x] = MARK_GREY
        return self

    def letter(self, x: int, y: int, glyph: str = "A") -> "Screen":
        cv2.putText(
            self.pixels,
            text=glyph,
            org=(x, y),
            fontFace=cv2.FONT_HERSHEY_SIMPLEX,
            fontScale=0.5,
            color=MARK_GREY,
            thickness=1,
            lineType=cv2.LINE_AA,
        )
        return self

    def dotted(
        self, start: tuple[int, int], end: tuple[int, int], count: int
    ) -> "Screen":
        for x, y in np.rint(np.linspace(start, end, count)).astype(int)[1:-1]:
            self.pixels[y, x] = MARK_GREY
        return self


def dicom_file(
    pixels: NDArray[np.uint8] | NDArray[np.uint16], **elements: object
) -> bytes:
    """An uncompressed DICOM file of grey or RGB pixels; keywords set or replace elements."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = UltrasoundImageStorage
    dataset.SOPInstanceUID = generate_uid(entropy_srcs=["sera"])
    rgb = pixels.shape[-1] == 3
    dataset.Rows, dataset.Columns = pixels.shape[-3:-1] if rgb else pixels.shape[-2:]
    dataset.SamplesPerPixel = 3 if rgb else 1
    dataset.PhotometricInterpretation = "RGB" if rgb else "MONOCHROME2"
    dataset.BitsAllocated = pixels.dtype.itemsize * 8
    dataset.BitsStored = pixels.dtype.itemsize * 8
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = 0
    if rgb:
        dataset.PlanarConfiguration = 0
    dataset.PixelData = pixels.tobytes()
    dataset["PixelData"].VR = "OW" if pixels.dtype.itemsize == 2 else "OB"
    for name, value in elements.items():
        setattr(dataset, name, value)
    stream = BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    return stream.getvalue()
