"""Paints over the text beside the tissue, where a hospital wishes it, and what a sender covers."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shared.domain.results.findings import Finding
from shared.imaging.decode import decode
from shared.imaging.deidentify.cleaned import CleanedFile
from shared.imaging.deidentify.cleaning import clean
from shared.imaging.deidentify.covers import (
    AREA_COVERED,
    COVERED,
    CoverFailed,
    check_inside,
)
from shared.imaging.deidentify.dicom.file import clean_dicom
from shared.imaging.deidentify.text import TextLine, find_text_lines
from shared.imaging.deidentify.tissue import (
    BURNT_IN_TEXT,
    is_beside,
    tissue_mask,
)
from shared.imaging.file_type import inspect
from shared.imaging.image import Box, Header, ImageFormat, UltrasoundImage
from shared.imaging.library_errors import translate_library_errors
from shared.imaging.limits import Limits

MAX_FRAMES = 64
"""Frames of a loop in which text is looked for, evenly spread. The text on a screen stays."""
MAX_GREY_OF_BLACK = 8
MAX_RECODING_ERROR = 3
"""Largest grey of a painted pixel, and largest change of another one, when the new file is
decoded: a frame that becomes lossless may be rounded once more."""
TEXT_BLANKED = "text-blanked"
TEXT_BLANKED_MESSAGE = "Text beside the tissue was painted over before the image was stored (lines: {lines})."
TEXT_NOT_BLANKED = "text-not-blanked"
TEXT_NOT_BLANKED_MESSAGE = (
    "Text beside the tissue could not be painted over without changing the rest of the image, so "
    "the image was stored with it (lines: {lines})."
)


def text_blanked(lines: int) -> Finding:
    facts = {"lines": lines}
    return Finding(TEXT_BLANKED, TEXT_BLANKED_MESSAGE.format(**facts), facts)


def text_not_blanked(lines: int) -> Finding:
    facts = {"lines": lines}
    return Finding(TEXT_NOT_BLANKED, TEXT_NOT_BLANKED_MESSAGE.format(**facts), facts)


def has_text_beside_tissue(image: UltrasoundImage) -> bool:
    return bool(_boxes_beside_tissue([image]))


def blank_text(image: UltrasoundImage) -> UltrasoundImage:
    """Return a decoded image as it will be once its text is painted over, with a finding."""
    boxes = _boxes_beside_tissue([image])
    if not boxes:
        return image
    return replace(
        image,
        pixels=_painted(image.pixels, boxes),
        findings=(*image.findings, text_blanked(len(boxes))),
    )


def cover(image: UltrasoundImage, covers: Sequence[Box]) -> UltrasoundImage:
    """Return a decoded image with areas blackened. Raises CoversInvalid."""
    if not covers:
        return image
    height, width = image.pixels.shape
    check_inside(covers, width, height)
    return replace(image, pixels=_painted(image.pixels, covers))


def clean_and_paint(
    data: bytes,
    key: bytes,
    limits: Limits | None = None,
    *,
    blanks_text: bool = True,
    covers: Sequence[Box] = (),
) -> CleanedFile:
    """Clean a file like `clean`, and blacken the text beside the tissue and the `covers`.

    Without either the result is that of `clean`. A raster file that is painted becomes a PNG of
    the upright grey picture that SERA reads. The frames of a DICOM file are painted, all of them,
    with its own black and coded without loss. If a frame that was searched then shows text still,
    or anything else changed, the result is that of `clean`, with a finding.

    Parameters
    ----------
    blanks_text : whether text is looked for
    covers : areas in pixels of the upright image

    Raises
    ------
    The errors of `clean` and `decode`, CoversInvalid, and
    CoverFailed
        if the file with covers would have changed elsewhere.
    """
    limits = limits or Limits()
    cleaned = clean(data, key, limits)
    header = inspect(BytesIO(cleaned.data), limits)
    check_inside(covers, header.width, header.height)
    lines: list[Box] = []
    if blanks_text:
        lines = _boxes_beside_tissue(_frames(cleaned.data, header, limits))
    boxes = [*lines, *covers]
    if not boxes:
        return cleaned
    if header.format is ImageFormat.DICOM:
        blanked = _blank_dicom(data, key, limits, boxes)
    else:
        blanked = _blank_raster(cleaned, limits, boxes)
    frames_before = _frames(cleaned.data, header, limits)
    frames_after = _frames(blanked.data, header, limits)
    is_painted = all(
        _is_painted(original.pixels, painted.pixels, boxes)
        for original, painted in zip(frames_before, frames_after, strict=True)
    )
    if not is_painted and covers:
        raise CoverFailed
    if not is_painted:
        findings = (*cleaned.findings, text_not_blanked(len(lines)))
        return replace(cleaned, findings=findings)
    text_findings = [text_blanked(len(lines))] if lines else []
    cover_findings = [COVERED] if covers else []
    painted = Counter({BURNT_IN_TEXT: len(lines), AREA_COVERED: len(covers)})
    return CleanedFile(
        data=blanked.data,
        removed=blanked.removed + painted,
        findings=(*blanked.findings, *text_findings, *cover_findings),
    )


def _frames(data: bytes, header: Header, limits: Limits) -> Iterable[UltrasoundImage]:
    frame_count = header.frames if header.format is ImageFormat.DICOM else 1
    count = min(frame_count, MAX_FRAMES)
    numbers = np.unique(np.linspace(1, frame_count, count).round().astype(int))
    return (decode(data, limits, int(number)) for number in numbers)


def _boxes_beside_tissue(frames: Iterable[UltrasoundImage]) -> list[Box]:
    """Return the places of the lines of all frames that lie beside the tissue of every frame."""
    lines: set[TextLine] = set()
    tissue: NDArray[np.bool_] | None = None
    for frame in frames:
        frame_lines = find_text_lines(frame.pixels)
        mask = tissue_mask(frame.pixels, frame.region, frame_lines)
        lines.update(frame_lines)
        tissue = mask if tissue is None else tissue | mask
    if tissue is None:
        return []
    height, width = tissue.shape
    picture = Box(x=0, y=0, width=width, height=height)
    return [
        line.place(picture)
        for line in sorted(lines, key=lambda line: (line.box.y, line.box.x))
        if is_beside(line, tissue)
    ]


def _blank_raster(
    cleaned: CleanedFile, limits: Limits, boxes: Sequence[Box]
) -> CleanedFile:
    """The PNG shows no longer what was found when the file was decoded; so that is kept."""
    image = decode(cleaned.data, limits)
    stream = BytesIO()
    Image.fromarray(_painted(image.pixels, boxes)).save(stream, "PNG")
    return CleanedFile(
        data=stream.getvalue(),
        removed=cleaned.removed,
        findings=(*cleaned.findings, *image.findings),
    )


def _blank_dicom(
    data: bytes, key: bytes, limits: Limits, boxes: Sequence[Box]
) -> CleanedFile:
    header = inspect(BytesIO(data), limits)
    with translate_library_errors(header.format, limits):
        return clean_dicom(data, key, header, limits, may_decode=True, text_boxes=boxes)


def _painted(pixels: NDArray[np.uint8], boxes: Sequence[Box]) -> NDArray[np.uint8]:
    painted = pixels.copy()
    for box in boxes:
        painted[box.y : box.y + box.height, box.x : box.x + box.width] = 0
    return painted


def _is_painted(
    original: NDArray[np.uint8], blanked: NDArray[np.uint8], boxes: Sequence[Box]
) -> bool:
    """Return whether the new file shows black in the boxes and its original elsewhere."""
    if original.shape != blanked.shape:
        return False
    expected = _painted(original, boxes).astype(np.int16)
    differences = np.abs(expected - blanked)
    is_in_box = _painted(np.ones_like(original), boxes) == 0
    is_black = bool(np.all(blanked[is_in_box] <= MAX_GREY_OF_BLACK))
    return is_black and bool(np.all(differences[~is_in_box] <= MAX_RECODING_ERROR))
