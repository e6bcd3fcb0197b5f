"""Finds lines of text that are burnt into the picture, such as a name on a banner.

The text is located and never read. Letters are light on dark or dark on light, on an even
background, in rows or in columns. They are looked for in the whole picture, because a file's list
of regions need not say where its text is.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.imaging.image import Box

Grey = NDArray[np.uint8]

STROKE_PX = 11
"""Maximum width of a structure that may be a stroke of a letter."""
MIN_STROKE_SHARES = (0.0, 0.5)
"""Smallest contrast of a stroke as a share of the largest contrast close to it. With 0 the faint
strokes of tiny letters hold together; with the other the soft edges between letters do not join
them. Both are tried."""
LETTER_HEIGHT_PX = (6, 40)
MAX_WIDTH_RATIO = 3.0
"""Smallest and largest height of a letter at one scale, and its largest width as a share of the
height.

Letters may touch each other.
"""
MAX_SIDE_PX = MAX_WIDTH_RATIO * LETTER_HEIGHT_PX[1]
TRANSPOSED = [1, 0, 3, 2]
"""The order of left, top, width and height in the transposed picture."""
MIN_LETTER_SHARE = 0.005
MAX_LETTER_SHARE = 0.25
"""Smallest and largest height of a letter as a share of the picture's height. The picture is
searched at as many halves of its size as these letters need: those on a phone's photo of a screen
are large."""
SURROUND_PX = 2
"""Width of the background around a letter that must be even. A screen is even; tissue has
speckle."""
MAX_GAP = 1.3
MAX_SHIFT = 0.5
MAX_HEIGHT_RATIO = 1.6
"""Bounds for the next letter of a line.

They are its distance and its vertical shift, both as shares of the height, and the ratio of the
heights.
"""
MIN_COLUMN_LETTERS = 4
"""Letters in a column that count as text: calipers and scales have three marks in a column."""
MAX_WORD_GAP = 4.0
"""Distance, in heights of a line, of further letters that belong to it even if they are few."""
SOFT_EDGE_SHARE = 0.1
MIN_SOFT_EDGE_PX = 2
"""How far the soft edges of letters reach, as a share of their height, and at least."""
MAX_LETTERS = 4000
"""No screen has more letters than this. Only the ones with the most even background are joined to
lines."""


@dataclass(frozen=True)
class _Look:
    """What letters of a line look like: the fewer they are, the more even is their background.

    Attributes
    ----------
    max_deviation : largest standard deviation of grey close around a letter
    min_letters : letters in a line that count as text
    """

    max_deviation: float
    min_letters: int


LOOKS_BY_CONTRAST = {
    50: (
        _Look(max_deviation=10.0, min_letters=3),
        _Look(max_deviation=2.0, min_letters=2),
    ),
    20: (_Look(max_deviation=3.0, min_letters=3),),
}
"""What letters look like, by the smallest contrast of their strokes, of 255. In 851 public images
cropped to the tissue, all lines found are text (`docs/measurements.md`)."""


@dataclass(frozen=True)
class TextLine:
    """A line of text: its place in the picture, and an estimate of the number of its letters."""

    box: Box
    letters: int

    def place(self, picture: Box) -> Box:
        """Return the box with the soft edges of the letters."""
        letter_height = min(self.box.width, self.box.height)
        margin = max(MIN_SOFT_EDGE_PX, round(SOFT_EDGE_SHARE * letter_height))
        return self.box.grow(margin, picture)


@dataclass(frozen=True)
class _Letter:
    left: int
    top: int
    width: int
    height: int

    @property
    def right(self) -> int:
        return self.left + self.width

    @property
    def bottom(self) -> int:
        return self.top + self.height

    def is_followed_by(self, letter: "_Letter", max_gap: float = MAX_GAP) -> bool:
        """Return whether `letter` can be the next letter of a line."""
        taller = max(self.height, letter.height)
        shorter = min(self.height, letter.height)
        gap = letter.left - self.right
        shift = abs(letter.top + letter.height / 2 - self.top - self.height / 2)
        if not -1 <= gap <= max_gap * taller:
            return False
        return shift <= MAX_SHIFT * taller / 2 and taller <= MAX_HEIGHT_RATIO * shorter


def find_text_lines(pixels: Grey) -> tuple[TextLine, ...]:
    """Find the rows and columns of letters on an even background.

    A column that overlaps a row consists of letters of rows below each other, and is none.

    Parameters
    ----------
    pixels : (height, width) uint8 grey

    Returns
    -------
    The lines in pixels of the picture, from top to bottom; none overlaps another.
    """
    rows: list[TextLine] = []
    columns: list[TextLine] = []
    for scale in _scales(pixels):
        scaled = _shrink(pixels, scale)
        for picture in (scaled, 255 - scaled):
            seen_rows, seen_columns = _find_lines(np.asarray(picture, np.uint8))
            rows += [_enlarged(line, scale, pixels) for line in seen_rows]
            columns += [_enlarged(line, scale, pixels) for line in seen_columns]
    free_columns = [
        column
        for column in columns
        if not any(_overlap(column.box, row.box) for row in rows)
    ]
    return _without_overlaps([*rows, *free_columns])


def _scales(pixels: Grey) -> Iterator[int]:
    """The powers of two by which the picture must be shrunk to see all its letters."""
    height = pixels.shape[0]
    min_height, max_height = LETTER_HEIGHT_PX
    scale = 1
    while min_height * 2 * scale <= MIN_LETTER_SHARE * height:
        scale *= 2
    yield scale
    while max_height * scale < MAX_LETTER_SHARE * height:
        scale *= 2
        yield scale


def _shrink(pixels: Grey, scale: int) -> Grey:
    if scale == 1:
        return pixels
    height, width = pixels.shape
    size = (max(width // scale, 1), max(height // scale, 1))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def _enlarged(line: TextLine, scale: int, pixels: Grey) -> TextLine:
    height, width = pixels.shape
    left = line.box.x * scale
    top = line.box.y * scale
    box = Box(
        x=left,
        y=top,
        width=min(line.box.width * scale, width - left),
        height=min(line.box.height * scale, height - top),
    )
    return TextLine(box=box, letters=line.letters)


def _without_overlaps(lines: Sequence[TextLine]) -> tuple[TextLine, ...]:
    """Join lines that overlap: a line may be seen at two scales."""
    joined: list[TextLine] = []
    for line in sorted(lines, key=lambda line: -line.letters):
        overlapping = [other for other in joined if _overlap(line.box, other.box)]
        if not overlapping:
            joined.append(line)
            continue
        for other in overlapping:
            joined.remove(other)
        parts = [line, *overlapping]
        joined.append(
            TextLine(
                box=_enclosing([part.box for part in parts]),
                letters=max(part.letters for part in parts),
            )
        )
    return tuple(sorted(joined, key=lambda line: (line.box.y, line.box.x)))


def _overlap(first: Box, second: Box) -> bool:
    columns = min(first.x + first.width, second.x + second.width)
    rows = min(first.y + first.height, second.y + second.height)
    return columns > max(first.x, second.x) and rows > max(first.y, second.y)


def _enclosing(boxes: Sequence[Box]) -> Box:
    left = min(box.x for box in boxes)
    top = min(box.y for box in boxes)
    right = max(box.x + box.width for box in boxes)
    bottom = max(box.y + box.height for box in boxes)
    return Box(x=left, y=top, width=right - left, height=bottom - top)


def _find_lines(pixels: Grey) -> tuple[list[TextLine], list[TextLine]]:
    """Find the rows and the columns of light letters at one scale."""
    contrast = _contrast(pixels)
    rows: list[TextLine] = []
    columns: list[TextLine] = []
    for min_contrast, looks in LOOKS_BY_CONTRAST.items():
        for share in MIN_STROKE_SHARES:
            strokes = _strokes(contrast, min_contrast, share)
            boxes, deviations = _find_components(pixels, strokes)
            for look in looks:
                even_boxes = boxes[deviations <= look.max_deviation]
                rows += _join_to_lines(_letters(even_boxes), look.min_letters)
                min_letters = max(look.min_letters, MIN_COLUMN_LETTERS)
                lying_letters = _letters(even_boxes[:, TRANSPOSED])
                lines = _join_to_lines(lying_letters, min_letters)
                columns += [_transposed(line) for line in lines]
    return rows, columns


def _transposed(line: TextLine) -> TextLine:
    box = line.box
    return TextLine(
        box=Box(x=box.y, y=box.x, width=box.height, height=box.width),
        letters=line.letters,
    )


def _join_to_lines(letters: Sequence[_Letter], min_letters: int) -> list[TextLine]:
    letters = sorted(letters, key=lambda letter: letter.left)
    line_lengths, previous = _chains(letters)
    lines: list[TextLine] = []
    is_used = [False] * len(letters)
    for last in sorted(range(len(letters)), key=lambda index: -line_lengths[index]):
        if line_lengths[last] < min_letters:
            break
        chain = _chain(last, previous)
        if any(is_used[index] for index in chain):
            continue
        members = _with_words(chain, letters)
        for index in members:
            is_used[index] = True
        boxes = [_box(letters[index]) for index in members]
        lines.append(TextLine(box=_enclosing(boxes), letters=len(members)))
    return lines


def _chains(letters: Sequence[_Letter]) -> tuple[list[int], list[int | None]]:
    """For each letter, the length of the longest line that ends with it, and the letter before.

    `letters` are sorted from left to right.
    """
    line_lengths = [1] * len(letters)
    previous: list[int | None] = [None] * len(letters)
    reach = 4 * LETTER_HEIGHT_PX[1]
    for index, letter in enumerate(letters):
        for candidate in range(index - 1, -1, -1):
            if letters[candidate].left < letter.left - reach:
                break
            is_longer = line_lengths[candidate] >= line_lengths[index]
            if is_longer and letters[candidate].is_followed_by(letter):
                line_lengths[index] = line_lengths[candidate] + 1
                previous[index] = candidate
    return line_lengths, previous


def _chain(last: int, previous: Sequence[int | None]) -> list[int]:
    chain: list[int] = []
    index: int | None = last
    while index is not None:
        chain.append(index)
        index = previous[index]
    return chain


def _with_words(chain: Sequence[int], letters: Sequence[_Letter]) -> list[int]:
    """Return the letters of a line with the other letters on the same height near to it."""
    members = set(chain)
    box = _enclosing([_box(letters[index]) for index in members])
    has_grown = True
    while has_grown:
        has_grown = False
        reach = MAX_WORD_GAP * box.height
        for index, letter in enumerate(letters):
            if index in members or not _is_on_line(letter, box):
                continue
            if (
                box.x - reach <= letter.right
                and letter.left <= box.x + box.width + reach
            ):
                members.add(index)
                box = _enclosing([box, _box(letter)])
                has_grown = True
    return sorted(members)


def _is_on_line(letter: _Letter, box: Box) -> bool:
    middle = letter.top + letter.height / 2
    is_level = box.y <= middle <= box.y + box.height
    return is_level and letter.height <= MAX_HEIGHT_RATIO * box.height


def _box(letter: _Letter) -> Box:
    return Box(x=letter.left, y=letter.top, width=letter.width, height=letter.height)


def _find_components(
    pixels: Grey, strokes: Grey
) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
    """Return the box of each component that may be a letter, and how uneven the grey around it is.

    The boxes are left, top, width and height, (N, 4); the standard deviations (N,). The most even
    come first.
    """
    _, _, stats, _ = cv2.connectedComponentsWithStats(strokes, connectivity=8)
    boxes = np.asarray(stats, np.int32)[1:, :4]
    longer_sides = boxes[:, 2:].max(axis=1)
    boxes = boxes[(longer_sides >= LETTER_HEIGHT_PX[0]) & (longer_sides <= MAX_SIDE_PX)]
    deviations = _background_deviations(pixels, strokes, boxes)
    order = np.argsort(deviations, kind="stable")[:MAX_LETTERS]
    return boxes[order], deviations[order]


def _letters(boxes: NDArray[np.int32]) -> list[_Letter]:
    """Return the components that have the size of a letter."""
    widths = boxes[:, cv2.CC_STAT_WIDTH]
    heights = boxes[:, cv2.CC_STAT_HEIGHT]
    min_height, max_height = LETTER_HEIGHT_PX
    has_letter_height = (heights >= min_height) & (heights <= max_height)
    has_letter_width = widths <= MAX_WIDTH_RATIO * heights
    return [
        _Letter(left=int(left), top=int(top), width=int(width), height=int(height))
        for left, top, width, height in boxes[has_letter_height & has_letter_width]
    ]


def _contrast(pixels: Grey) -> Grey:
    """Return how much lighter each pixel is than what lies around a stroke there."""
    kernel = np.ones((STROKE_PX, STROKE_PX), np.uint8)
    background = cv2.morphologyEx(pixels, cv2.MORPH_OPEN, kernel)
    return np.asarray(cv2.subtract(pixels, background), np.uint8)


def _strokes(contrast: Grey, min_contrast: int, share: float) -> Grey:
    """Return 1 where a stroke may be: with at least this share of the contrast close to it."""
    kernel = np.ones((STROKE_PX, STROKE_PX), np.uint8)
    is_stroke = contrast > min_contrast
    if share:
        is_stroke &= contrast >= share * cv2.dilate(contrast, kernel)
    return is_stroke.astype(np.uint8)


def _background_deviations(
    pixels: Grey, strokes: Grey, boxes: NDArray[np.int32]
) -> NDArray[np.float64]:
    """Return the standard deviation of grey around each letter, (N,); infinite without any.

    The letter's soft edge and other strokes are not considered.

    Parameters
    ----------
    pixels, strokes : (height, width) uint8; strokes are 1
    boxes : left, top, width and height of each letter, (N, 4)
    """
    height, width = pixels.shape
    left = np.maximum(boxes[:, 0] - SURROUND_PX, 0)
    top = np.maximum(boxes[:, 1] - SURROUND_PX, 0)
    right = np.minimum(boxes[:, 0] + boxes[:, 2] + SURROUND_PX, width)
    bottom = np.minimum(boxes[:, 1] + boxes[:, 3] + SURROUND_PX, height)

    def totals(integral: object) -> NDArray[np.float64]:
        values = np.asarray(integral, np.float64)
        upper = values[top, right] - values[top, left]
        lower = values[bottom, right] - values[bottom, left]
        return np.asarray(lower - upper, np.float64)

    widened = np.asarray(cv2.dilate(strokes, np.ones((3, 3), np.uint8)), np.uint8)
    is_background = 1 - widened
    sums, squares = cv2.integral2(pixels * is_background, sqdepth=cv2.CV_64F)
    counts = totals(cv2.integral(is_background))
    filled_counts = np.maximum(counts, 1)
    means = totals(sums) / filled_counts
    mean_squares = totals(squares) / filled_counts
    deviations = np.sqrt(np.maximum(mean_squares - means**2, 0))
    return np.where(counts > 0, deviations, np.inf)
