"""Pictures that are no thyroid ultrasound, by kind: drawn, altered, or installed with libraries."""

import string
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.errors import SeraError
from shared.imaging import ImageFormat, UltrasoundImage, decode
from shared.phantoms import draw

Pixels = NDArray[np.uint8]

SAMPLE_PICTURES = (
    ("matplotlib", "mpl-data/sample_data/*.jpg"),
    ("matplotlib", "mpl-data/sample_data/*.png"),
    ("sklearn", "datasets/images/*.jpg"),
    ("skimage", "data/*.jpg"),
    ("skimage", "data/*.png"),
)
"""Packages that bring pictures, if they are installed, and where."""
PIECES = 6
"""Pieces cut out of each sample picture, beside the whole."""
COLOUR_MAPS = (
    cv2.COLORMAP_JET,
    cv2.COLORMAP_HOT,
    cv2.COLORMAP_OCEAN,
    cv2.COLORMAP_PINK,
    cv2.COLORMAP_BONE,
    cv2.COLORMAP_VIRIDIS,
)


def noise(random: np.random.Generator) -> UltrasoundImage:
    """White, Gaussian, smoothed or Rayleigh noise, as speckle has it."""
    height, width = random.integers(200, 600, 2)
    kind = random.integers(4)
    if kind == 0:
        values = random.uniform(0, 255, (height, width))
    elif kind == 1:
        mean = random.uniform(40, 180)
        values = random.normal(mean, random.uniform(10, 60), (height, width))
    elif kind == 2:
        grain = cv2.GaussianBlur(
            random.normal(0, 1, (height, width)), (0, 0), random.uniform(1, 6)
        )
        values = 128 + 60 * grain / grain.std()
    else:
        values = 255 * random.rayleigh(0.25, (height, width))
    return _image(np.clip(values, 0, 255).astype(np.uint8))


def text_page(random: np.random.Generator) -> UltrasoundImage:
    """A page of words, dark on light or light on dark."""
    height, width = random.integers(300, 700, 2)
    is_dark = bool(random.integers(2))
    page = np.full((height, width), 15 if is_dark else 245, np.uint8)
    scale = random.uniform(0.35, 0.8)
    step = int(34 * scale) + 4
    letters = list(string.ascii_letters)
    for baseline in range(step, height, step):
        words = [
            "".join(random.choice(letters, random.integers(2, 9))) for _ in "words"
        ]
        line = " ".join(words * 4)[: random.integers(10, 100)]
        font = int(random.integers(4))
        ink = 230 if is_dark else 20
        cv2.putText(page, line, (10, baseline), font, scale, ink, 1, cv2.LINE_AA)
    return _image(page)


def drawing(random: np.random.Generator) -> UltrasoundImage:
    """Circles, rectangles and lines of even grey."""
    height, width = random.integers(200, 600, 2)
    page = np.full((height, width), int(random.integers(256)), np.uint8)
    for _ in range(random.integers(3, 20)):
        grey = int(random.integers(256))
        start = tuple(map(int, random.integers(0, [width, height])))
        end = tuple(map(int, random.integers(0, [width, height])))
        thickness = int(random.integers(1, 6))
        shape = random.integers(3)
        if shape == 0:
            cv2.circle(page, start, int(random.integers(5, 120)), grey, cv2.FILLED)
        elif shape == 1:
            cv2.rectangle(page, start, end, grey, thickness)
        else:
            cv2.line(page, start, end, grey, thickness)
    return _image(page)


def phantom(random: np.random.Generator) -> UltrasoundImage:
    """A drawn nodule of SERA's own."""
    seed = int(random.integers(5000, 9000))
    return _image(draw(seed, malignant=bool(seed % 2)).pixels)


def inverted(image: UltrasoundImage, random: np.random.Generator) -> UltrasoundImage:
    """Black and white exchanged."""
    return _image(255 - image.pixels)


def blurred(image: UltrasoundImage, random: np.random.Generator) -> UltrasoundImage:
    """Blurred by a Gaussian of 1/75 of the width: 4 pixels of 300."""
    sigma = image.pixels.shape[1] / 75
    return _image(np.asarray(cv2.GaussianBlur(image.pixels, (0, 0), sigma), np.uint8))


def recoloured(image: UltrasoundImage, random: np.random.Generator) -> UltrasoundImage:
    """Shown by a colour map, and read as any colour file is."""
    colour_map = COLOUR_MAPS[random.integers(len(COLOUR_MAPS))]
    coloured = cv2.applyColorMap(image.pixels, colour_map)
    return decode(cv2.imencode(".png", coloured)[1].tobytes())


DRAWN: dict[str, Callable[[np.random.Generator], UltrasoundImage]] = {
    "noise": noise,
    "text pages": text_page,
    "drawings": drawing,
    "phantoms": phantom,
}
ALTERED: dict[
    str, Callable[[UltrasoundImage, np.random.Generator], UltrasoundImage]
] = {"inverted": inverted, "blurred": blurred, "recoloured": recoloured}


def pydicom_examples() -> list[UltrasoundImage]:
    """The test files of pydicom that can be read: CT, MR, colour, charts and a few ultrasound."""
    return _readable(sorted(_package("pydicom").glob("data/test_files/*.dcm")))


def sample_pictures(random: np.random.Generator) -> list[UltrasoundImage]:
    """The sample pictures of the packages that are installed, and pieces of them."""
    images = []
    for package, pattern in SAMPLE_PICTURES:
        if find_spec(package) is not None:
            images += _readable(sorted(_package(package).glob(pattern)))
    pieces = [_piece(image, random) for image in images for _ in range(PIECES)]
    return images + pieces


def _piece(image: UltrasoundImage, random: np.random.Generator) -> UltrasoundImage:
    height, width = image.pixels.shape
    rows, columns = (
        int(side * share)
        for side, share in zip(
            (height, width), random.uniform(0.3, 0.8, 2), strict=True
        )
    )
    top = int(random.integers(height - rows))
    left = int(random.integers(width - columns))
    return _image(image.pixels[top : top + rows, left : left + columns])


def _readable(paths: Sequence[Path]) -> list[UltrasoundImage]:
    images = []
    for path in paths:
        try:
            images.append(decode(path.read_bytes()))
        except SeraError:
            continue
    return images


def _package(name: str) -> Path:
    spec = find_spec(name)
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return Path(spec.submodule_search_locations[0])


def _image(pixels: Pixels) -> UltrasoundImage:
    return UltrasoundImage(np.ascontiguousarray(pixels), ImageFormat.PNG)
