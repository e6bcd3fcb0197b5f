"""Shows small pictures of images: as letters on a terminal, and as a contact sheet."""

from base64 import b64decode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.uint8]
SHADES = " .:-=+*#%@"
"""Letters from black to white, as they look on a dark terminal."""
SKETCH_COLUMNS = 24
SKETCH_LINES = 10
PER_ROW = 4
TILE_PX = 176
PICTURE_PX = 160
LABEL_HEIGHT_PX = 20


@dataclass(frozen=True)
class Thumbnail:
    """A small grey picture (height, width), and the line of the manifest that names it."""

    line: int
    pixels: Grey

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Thumbnail":
        data = np.frombuffer(b64decode(values["base64"]), np.uint8)
        pixels = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)
        return cls(line=values["line"], pixels=np.asarray(pixels, np.uint8))


def sketch_lines(thumbnails: Sequence[Thumbnail]) -> list[str]:
    """Return the pictures as lines of letters, four beside each other."""
    lines: list[str] = []
    for start in range(0, len(thumbnails), PER_ROW):
        row = thumbnails[start : start + PER_ROW]
        sketches = [_sketch(thumbnail.pixels) for thumbnail in row]
        titles = [f"line {thumbnail.line}".ljust(SKETCH_COLUMNS) for thumbnail in row]
        lines.append("  ".join(titles).rstrip())
        lines += ["  ".join(parts).rstrip() for parts in zip(*sketches, strict=True)]
    return lines


def contact_sheet(thumbnails: Sequence[Thumbnail]) -> bytes:
    """Return a PNG of the pictures, each above the line that names it."""
    rows = max(-(-len(thumbnails) // PER_ROW), 1)
    sheet = np.zeros((rows * (TILE_PX + LABEL_HEIGHT_PX), PER_ROW * TILE_PX), np.uint8)
    for index, thumbnail in enumerate(thumbnails):
        top = index // PER_ROW * (TILE_PX + LABEL_HEIGHT_PX)
        left = index % PER_ROW * TILE_PX
        _draw(sheet, thumbnail, top=top, left=left)
    return cv2.imencode(".png", sheet)[1].tobytes()


def _sketch(pixels: Grey) -> list[str]:
    small = cv2.resize(
        pixels, (SKETCH_COLUMNS, SKETCH_LINES), interpolation=cv2.INTER_AREA
    )
    levels = small.astype(np.int64) * len(SHADES) // 256
    return ["".join(SHADES[level] for level in line) for line in levels]


def _draw(sheet: Grey, thumbnail: Thumbnail, *, top: int, left: int) -> None:
    height, width = thumbnail.pixels.shape
    scale = min(PICTURE_PX / max(height, width), 1.0)
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    picture = cv2.resize(thumbnail.pixels, size, interpolation=cv2.INTER_AREA)
    sheet[top : top + size[1], left : left + size[0]] = picture
    cv2.putText(
        sheet,
        f"line {thumbnail.line}",
        (left, top + TILE_PX + LABEL_HEIGHT_PX // 2),
        cv2.FONT_HERSHEY_SIMPLEX,
        fontScale=0.45,
        color=255,
    )
