"""From the image to the nodule."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from shared.domain.results.findings import Finding
from shared.imaging.calipers import (
    Mark,
    MarkKind,
    caliper_mm,
    find_marks,
    remove_marks,
    roi_from_marks,
)
from shared.imaging.image import Box, Nodule, UltrasoundImage
from shared.imaging.quality import judge
from shared.imaging.regions.roi import Roi
from shared.imaging.regions.size import measured_mm

SOUGHT_AROUND = 0.5
"""How far around an ROI marks are sought, as a share of its sides: the fellow of a mark inside may lie there."""
NO_ROI = Finding(
    "roi-absent",
    "No ROI was given, so the whole B-mode image was read. A box around the nodule is better.",
)
ROI_FROM_CALIPERS = Finding(
    "roi-from-calipers",
    "No ROI was given; the one that the caliper marks enclose was read. Check that it is the nodule.",
)


@dataclass(frozen=True)
class Framing:
    """How a nodule is cut out; the same in training as in use.

    Attributes
    ----------
    margin : tissue to keep around the ROI, as a fraction of its width and height on each side; clipped to the image
    calipers : whether, without an ROI, the one that caliper marks enclose is taken
    """

    margin: float = 0.0
    calipers: bool = True

    def __str__(self) -> str:
        """Names it in the key of a cached feature."""
        return f"{self.margin:g}" + ("" if self.calipers else "-whole")


PLAIN = Framing()


@dataclass(frozen=True, eq=False)
class _Cleaned:
    """A part of the image without its marks, and the marks in pixels of the image."""

    part: Box
    pixels: NDArray[np.uint8]
    marks: tuple[Mark, ...]

    def cut(self, frame: Box) -> NDArray[np.uint8]:
        top = frame.y - self.part.y
        left = frame.x - self.part.x
        return np.ascontiguousarray(
            self.pixels[top : top + frame.height, left : left + frame.width]
        )

    def removed(self, frame: Box) -> tuple[Finding, ...]:
        """How many marks were painted over within the frame."""
        seen = [mark for mark in self.marks if mark.touches(frame)]
        signs = sum(mark.kind is not MarkKind.DOT for mark in seen)
        return (_removed(signs, dots=len(seen) > signs),) if seen else ()


def crop(image: UltrasoundImage, roi: Roi | None, framing: Framing = PLAIN) -> Nodule:
    """Cut the nodule out; burnt-in caliper marks are painted over, inside the nodule too.

    Parameters
    ----------
    image : the decoded image
    roi : where the nodule is; without one what caliper marks enclose is taken, if `framing` says so, else the B-mode
        region where known, else the whole image

    Returns
    -------
    Nodule
        `mask` marks the ROI itself, without the margin.

    Raises
    ------
    RoiOutsideImage, ImageBlank
    """
    height, width = image.pixels.shape
    whole = Box(0, 0, width, height)
    if roi:
        roi.check_inside(width, height)
        frame = roi.bounds.grown(framing.margin, whole)
        cleaned = _clean(image, roi.bounds.grown(framing.margin + SOUGHT_AROUND, whole))
        return _nodule(
            image,
            cleaned,
            frame,
            roi,
            _measured(image, roi),
            outlined=roi.polygon is not None,
        )
    cleaned = _clean(image, image.region or whole)
    if framing.calipers and (derived := roi_from_marks(cleaned.marks, width, height)):
        frame = derived.bounds.grown(framing.margin, cleaned.part)
        size_mm = (
            caliper_mm(cleaned.marks, image.spacing_mm) if image.spacing_mm else None
        )
        nodule = _nodule(image, cleaned, frame, derived, size_mm, ROI_FROM_CALIPERS)
        return replace(nodule, found=derived.bounds)
    return _nodule(image, cleaned, cleaned.part, None, None, NO_ROI)


def _clean(image: UltrasoundImage, part: Box) -> _Cleaned:
    pixels = np.ascontiguousarray(
        image.pixels[part.y : part.y + part.height, part.x : part.x + part.width]
    )
    marks = find_marks(pixels)
    return _Cleaned(
        part,
        remove_marks(pixels, marks),
        tuple(mark.shifted(part.x, part.y) for mark in marks),
    )


def _nodule(
    image: UltrasoundImage,
    cleaned: _Cleaned,
    frame: Box,
    roi: Roi | None,
    size_mm: float | None,
    *told: Finding,
    outlined: bool = False,
) -> Nodule:
    pixels = cleaned.cut(frame)
    mask = roi.mask(frame) if roi else np.ones(pixels.shape, bool)
    findings = (*image.findings, *told, *cleaned.removed(frame), *judge(pixels, mask))
    return Nodule(pixels, mask, outlined, findings, size_mm, frame)


def _measured(image: UltrasoundImage, roi: Roi) -> float | None:
    """The ROI's size, unless it lies outside the region that the calibration is of."""
    if image.spacing_mm is None or (
        image.region and not image.region.holds(roi.bounds)
    ):
        return None
    return measured_mm(roi, image.spacing_mm)


def _removed(signs: int, dots: bool) -> Finding:
    if not signs:
        return Finding(
            "calipers-removed",
            "The dots between caliper marks were painted over before reading.",
            {"marks": signs, "dots": dots},
        )
    marks = (
        "1 burnt-in caliper mark or letter"
        if signs == 1
        else f"{signs} burnt-in caliper marks and letters"
    )
    also = ", with the dots between them," if dots else ""
    verb = "was" if signs == 1 and not dots else "were"
    return Finding(
        "calipers-removed",
        f"{marks}{also} {verb} painted over before the image was read.",
        {"marks": signs, "dots": dots},
    )
