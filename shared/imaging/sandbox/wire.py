"""The results of a sandbox process: a decoded or checked image, a de-identified file, or a refusal.

The pool checks every result before it uses it, because an image may have taken over the process.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

import numpy as np

from shared.domain.results.findings import Finding
from shared.errors import InputError, SeraError
from shared.imaging.deidentify import CleanedFile
from shared.imaging.deidentify.covers import CoverFailed, CoversInvalid
from shared.imaging.deidentify.formats.png import clean_png
from shared.imaging.deidentify.formats.recoded import RECODED_FORMATS
from shared.imaging.errors import (
    EmptyImage,
    FrameMissing,
    ImageDecoderFailed,
    ImageTooLarge,
    ImageTooSmall,
    ImageTruncated,
    ImageUnreadable,
    MaskMismatch,
    MaskUnclear,
    RoiInvalid,
    RoiTooSmall,
    UnsupportedImage,
)
from shared.imaging.file_type import inspect
from shared.imaging.image import Box, ImageFormat, Region, UltrasoundImage
from shared.imaging.limits import Limits
from shared.imaging.raster.orientation import UPRIGHT
from shared.imaging.sandbox.checked import CheckedImage
from shared.sandbox.channel import Head

REFUSALS: dict[str, type[InputError]] = {
    refusal.code: refusal
    for refusal in (
        CoverFailed,
        CoversInvalid,
        EmptyImage,
        FrameMissing,
        ImageDecoderFailed,
        ImageTooLarge,
        ImageTooSmall,
        ImageTruncated,
        ImageUnreadable,
        MaskMismatch,
        MaskUnclear,
        RoiInvalid,
        RoiTooSmall,
        UnsupportedImage,
    )
}
"""All errors that `decode`, `clean_and_paint` and `clean_mask` may raise."""
MAX_TEXT_LENGTH = 400
MAX_FINDINGS = 16
MAX_FACTS = 16
MAX_REGIONS = 64
MAX_REMOVED_NAMES = 10_000
"""More names of attributes than the DICOM standard has."""


def image_message(image: UltrasoundImage) -> tuple[Head, memoryview]:
    """Return the head and pixels of an image."""
    head = {
        "format": image.format,
        "size": image.pixels.shape,
        "spacing_mm": image.spacing_mm,
        "region": image.region and _sides(image.region),
        "regions": [
            [
                *_sides(region.box),
                region.spacing_mm,
                region.is_low_priority,
                region.is_b_mode,
            ]
            for region in image.regions[:MAX_REGIONS]
        ],
        "findings": [finding.to_json() for finding in image.findings],
    }
    return head, np.ascontiguousarray(image.pixels).data.cast("B")


def refusal_message(refusal: SeraError) -> Head:
    return {"refused": refusal.code, "facts": refusal.facts}


def checked_message(checked: CheckedImage) -> Head:
    return {
        "size": [checked.height, checked.width],
        "findings": [finding.to_json() for finding in checked.findings],
        "text": checked.has_text_beside_tissue,
    }


def cleaned_message(cleaned: CleanedFile) -> tuple[Head, bytes]:
    findings = [finding.to_json() for finding in cleaned.findings]
    return {"removed": cleaned.removed, "findings": findings}, cleaned.data


def read_image(
    head: Head, body: bytearray, limits: Limits
) -> UltrasoundImage | InputError:
    """Read the image from a result, or the error that refuses it.

    Raises another error if the result is malformed.
    """
    if "refused" in head:
        return _refusal(head)
    height, width = (int(side) for side in head["size"])
    limits.check(width, height)
    pixels = np.frombuffer(body, np.uint8).reshape(height, width)
    frame = Box(x=0, y=0, width=width, height=height)
    return UltrasoundImage(
        pixels=pixels,
        format=ImageFormat(head["format"]),
        spacing_mm=_spacing(head["spacing_mm"]),
        region=_region(head["region"], frame),
        regions=tuple(
            _scaled_region(values, frame) for values in head["regions"][:MAX_REGIONS]
        ),
        findings=_findings(head),
    )


def read_checked(
    head: Head, body: bytearray, limits: Limits
) -> CheckedImage | InputError:
    """Read the facts of a checked image from a result, or the error that refuses it.

    Raises another error if the result is malformed.
    """
    if "refused" in head:
        return _refusal(head)
    height, width = (int(side) for side in head["size"])
    limits.check(width, height)
    return CheckedImage(
        width=width,
        height=height,
        findings=_findings(head),
        has_text_beside_tissue=bool(head["text"]),
    )


def read_cleaned(
    head: Head,
    body: bytearray,
    original: bytes,
    limits: Limits,
    may_be_png: bool = False,
) -> CleanedFile | InputError:
    """Read the de-identified file from a result, or the error that refuses it.

    Raises another error if the result is malformed. A de-identified file must have the format, the
    size and the number of frames of its original. Recoded formats become a PNG of the same size.
    With `may_be_png`, another raster file may have become a PNG of one picture.
    """
    if "refused" in head:
        return _refusal(head)
    data = bytes(body)
    original_header = inspect(BytesIO(original), limits)
    cleaned_header = inspect(BytesIO(data), limits)
    names = ["width", "height"]
    is_recoded = original_header.format in RECODED_FORMATS
    is_raster = original_header.format is not ImageFormat.DICOM
    is_png = cleaned_header.format is ImageFormat.PNG
    if is_recoded and not is_png:
        raise ValueError("a recoded file that is no PNG")
    if not (is_recoded or (may_be_png and is_raster and is_png)):
        names += ["format", "frames"]
    for name in names:
        if getattr(original_header, name) != getattr(cleaned_header, name):
            raise ValueError("a file that differs from its original")
    return CleanedFile(
        data=data,
        removed=_removed_counts(head["removed"]),
        findings=_findings(head),
    )


def read_cleaned_mask(
    head: Head, body: bytearray, width: int, height: int, limits: Limits
) -> CleanedFile | InputError:
    """Read the de-identified mask from a result, or the error that refuses it.

    Raises another error if the result is malformed. A mask must be a PNG of the image's size with
    nothing but pixels in it.
    """
    if "refused" in head:
        return _refusal(head)
    data = bytes(body)
    header = inspect(BytesIO(data), limits)
    if header.format is not ImageFormat.PNG:
        raise ValueError("a mask that is no PNG")
    if (header.width, header.height) != (width, height):
        raise ValueError("a mask of another size than its image")
    if clean_png(data, UPRIGHT.number).removed:
        raise ValueError("a mask with more than pixels")
    return CleanedFile(
        data=data,
        removed=_removed_counts(head["removed"]),
        findings=_findings(head),
    )


def _refusal(head: Head) -> InputError:
    facts = {str(name): _plain_fact(fact) for name, fact in head["facts"].items()}
    return REFUSALS[head["refused"]](**facts)


def _removed_counts(counts: Mapping[str, object]) -> Counter[str]:
    removed: Counter[str] = Counter()
    for name, count in list(counts.items())[:MAX_REMOVED_NAMES]:
        if not isinstance(count, int) or count < 1:
            raise ValueError("an impossible count")
        removed[_text(name)] = count
    return removed


def _findings(head: Head) -> tuple[Finding, ...]:
    return tuple(_finding(body) for body in head["findings"][:MAX_FINDINGS])


def _finding(body: Mapping[str, Any]) -> Finding:
    facts = list(body["facts"].items())[:MAX_FACTS]
    return Finding(
        code=_text(body["code"]),
        message=_text(body["message"]),
        facts={_text(name): _plain_fact(fact) for name, fact in facts},
    )


def _spacing(value: Sequence[float] | None) -> tuple[float, float] | None:
    if value is None:
        return None
    rows_mm, columns_mm = (float(side_mm) for side_mm in value)
    if not (0 < rows_mm < np.inf and 0 < columns_mm < np.inf):
        raise ValueError("an impossible spacing")
    return rows_mm, columns_mm


def _region(value: Sequence[float] | None, image: Box) -> Box | None:
    if value is None:
        return None
    x, y, width, height = (int(number) for number in value)
    box = Box(x=x, y=y, width=width, height=height)
    if min(box.width, box.height) < 1 or not image.contains(box):
        raise ValueError("a region outside the image")
    return box


def _scaled_region(values: Sequence[Any], image: Box) -> Region:
    *sides, spacing_mm, is_low_priority, is_b_mode = values
    box = _region(sides, image)
    if box is None:
        raise ValueError("a region without a place")
    return Region(
        box=box,
        spacing_mm=_spacing(spacing_mm),
        is_low_priority=bool(is_low_priority),
        is_b_mode=bool(is_b_mode),
    )


def _sides(box: Box) -> list[int]:
    return [box.x, box.y, box.width, box.height]


def _plain_fact(fact: object) -> str | int | float:
    return fact if isinstance(fact, int | float) else _text(fact)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a text")
    return value[:MAX_TEXT_LENGTH]
