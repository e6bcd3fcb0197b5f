"""Sorts frames of the DDTI by the layout of the scanner's screen.

    python -m trials.machines.layouts DDTI_RAW layouts.csv

DDTI_RAW is a folder with a `manifest.csv` and frames of 560 x 360 pixels, as the scanner showed
them. The layout is read from what is burnt in around the picture: which grey bar stands at the left
edge, and which columns the picture fills. The table has one row a frame: `image,layout,bar,
left_px,width_px`.
"""

import csv
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

BAR_COLUMNS = slice(6, 16)
BAR_ROWS = slice(150, 235)
BAR_TOPS = {160: "high", 175: "low"}
"""Row of the white end of the grey bar, on the two screens that occur."""
BAR_TOLERANCE_PX = 5
WHITE = 160
"""The grey bar's white end is lighter than this, on both screens."""
PICTURE_GREY = 12
"""The screen around the picture is black."""
TEXT_PX = 9
"""Marks and letters have thinner strokes; an opening by this square removes them."""
DUAL_LEFT_PX = 70
"""Two panels side by side begin left of this column, a single picture right of it."""
NARROW_WIDTH_PX = 370
"""A single picture of a greater depth is narrower than this."""


@dataclass(frozen=True)
class FrameLayout:
    """The layout of one frame: its name, and the measurements that it follows from."""

    image: str
    layout: str
    bar: str
    left_px: int
    width_px: int


def frame_layout(image: str, pixels: Pixels) -> FrameLayout:
    """Return the layout of a frame (360, 560) uint8.

    `dual-low` is a screen of its own, with the grey bar lower. The other three are from one screen:
    `dual` has two panels, `single` one picture, `narrow` one picture of a greater depth.
    """
    bar = _bar(pixels)
    left_px, width_px = _picture_columns(pixels)
    if left_px < DUAL_LEFT_PX or left_px > pixels.shape[1] // 2:
        layout = "dual"
    elif width_px < NARROW_WIDTH_PX:
        layout = "narrow"
    else:
        layout = "single"
    if bar != "high":
        layout = f"{layout}-{bar}"
    return FrameLayout(
        image=image, layout=layout, bar=bar, left_px=left_px, width_px=width_px
    )


def read_layouts(folder: Path) -> Iterator[FrameLayout]:
    """Yield the layouts of all frames in a folder's manifest, in its order."""
    with (folder / "manifest.csv").open(newline="", encoding="utf-8") as file:
        images = [row["image"] for row in csv.DictReader(file)]
    for image in images:
        pixels = cv2.imread(str(folder / image), cv2.IMREAD_GRAYSCALE)
        if pixels is None:
            raise SystemExit(f"{image} cannot be read.")
        yield frame_layout(image, np.asarray(pixels, np.uint8))


def main() -> None:
    folder, table = map(Path, sys.argv[1:])
    layouts = list(read_layouts(folder))
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(field.name for field in fields(FrameLayout))
        writer.writerows(map(astuple, layouts))
    for layout, count in Counter(frame.layout for frame in layouts).most_common():
        sys.stdout.write(f"{layout:10} {count}\n")


def _bar(pixels: Pixels) -> str:
    """Return the place of the grey bar: a name of BAR_TOPS, or `none`."""
    profile = pixels[BAR_ROWS, BAR_COLUMNS].mean(axis=1)
    white_rows = np.flatnonzero(profile > WHITE)
    if not white_rows.size:
        return "none"
    top = BAR_ROWS.start + int(white_rows[0])
    for expected_top, name in BAR_TOPS.items():
        if abs(top - expected_top) <= BAR_TOLERANCE_PX:
            return name
    return "none"


def _picture_columns(pixels: Pixels) -> tuple[int, int]:
    """Return first column and width of the largest region that is not black."""
    content = (pixels > PICTURE_GREY).astype(np.uint8)
    opened = cv2.morphologyEx(
        content, cv2.MORPH_OPEN, np.ones((TEXT_PX, TEXT_PX), np.uint8)
    )
    _, _, regions, _ = cv2.connectedComponentsWithStats(opened)
    if len(regions) == 1:
        return 0, 0
    largest = regions[1 + int(np.argmax(regions[1:, cv2.CC_STAT_AREA]))]
    return int(largest[cv2.CC_STAT_LEFT]), int(largest[cv2.CC_STAT_WIDTH])


if __name__ == "__main__":
    main()
