"""Crops the nodule out of the image."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.domain.results.findings import Finding
from shared.domain.results.roi_source import RoiSource
from shared.imaging.calipers import (
    Mark,
    MarkKind,
    caliper_mm,
    find_marks,
    remove_marks,
    roi_from_marks,
)
from shared.imaging.image import FRAME_PX, Box, Nodule, UltrasoundImage
from shared.imaging.quality import quality_findings
from shared.imaging.regions.roi import RealBox, Roi
from shared.imaging.regions.size import diameter_mm

MARK_SEARCH_MARGIN = 0.5
"""Distance around an ROI in which marks are searched, as a share of its sides.

The partner of a mark inside the ROI may be there.
"""
NO_ROI = Finding(
    "roi-absent",
    "No ROI was given, so the whole B-mode image was read. "
    "A box around the nodule is better.",
)
ROI_FROM_CALIPERS = Finding(
    "roi-from-calipers",
    "No ROI was given; the one that the caliper marks enclose was read. "
    "Check that it is the nodule.",
)


NODULE_PROPOSED = Finding(
    "nodule-proposed",
    "No ROI was given; SERA looked for the nodule itself. Check that the outline is the nodule.",
)
NO_NODULE_FOUND = Finding(
    "no-nodule-found",
    "No ROI was given, and SERA found no nodule in the picture. "
    "Draw a box around the nodule and send it again.",
)


class Outliner(Protocol):
    """Draws the outlines of nodules. It may be used by several threads."""

    @property
    def digest(self) -> str:
        """A hash of all that determines its outlines."""
        ...

    def trace(self, pixels: NDArray[np.uint8], roi: Roi) -> Roi:
        """Return the outline of the nodule that an ROI marks, on a picture (height, width)."""
        ...

    def propose(self, pixels: NDArray[np.uint8], region: Box) -> Sequence[RealBox]:
        """Return boxes of what may be nodules in a region, the likeliest first."""
        ...


@dataclass(frozen=True)
class Framing:
    """How a nodule is cropped; the same in training and in use.

    Attributes
    ----------
    margin : tissue to keep around the ROI on each side, as a fraction of its width and height;
        clipped to the image
    calipers : whether the ROI is taken from the caliper marks if none is given
    outliner : draws the outline that is read, inside a given ROI too; None: the ROI is read as it
        is, and without one the whole picture
    """

    margin: float = 0.0
    calipers: bool = True
    outliner: Outliner | None = None

    def __str__(self) -> str:
        """Return the framing as a part of the key of a cached feature."""
        calipers = "" if self.calipers else "-whole"
        outliner = f"-{self.outliner.digest}" if self.outliner else ""
        return f"{self.margin:g}{calipers}{outliner}"


DEFAULT_FRAMING = Framing()


@dataclass(frozen=True, eq=False)
class _CleanedPart:
    """A part of the image from which the caliper marks are removed.

    Attributes
    ----------
    box : position of the part in the image
    pixels : (h, w) uint8 grey of the part
    marks : the removed marks, in pixels of the image
    """

    box: Box
    pixels: NDArray[np.uint8]
    marks: tuple[Mark, ...]

    def crop(self, crop_box: Box) -> NDArray[np.uint8]:
        top = crop_box.y - self.box.y
        left = crop_box.x - self.box.x
        bottom = top + crop_box.height
        right = left + crop_box.width
        return np.ascontiguousarray(self.pixels[top:bottom, left:right])

    def removal_findings(self, crop_box: Box) -> tuple[Finding, ...]:
        """Return a finding with the number of marks that were removed within the crop, if any."""
        marks = [mark for mark in self.marks if mark.touches(crop_box)]
        if not marks:
            return ()
        dot_count = sum(mark.kind is MarkKind.DOT for mark in marks)
        finding = _marks_removed(
            mark_count=len(marks) - dot_count, has_dots=dot_count > 0
        )
        return (finding,)


def crop(
    image: UltrasoundImage, roi: Roi | None, framing: Framing = DEFAULT_FRAMING
) -> Nodule:
    """Crop the nodule.

    Burnt-in caliper marks are painted over, also inside the nodule.

    Parameters
    ----------
    image : the decoded image
    roi : the position of the nodule. If it is None, the region that the caliper marks enclose is
        used, if `framing` allows it. Otherwise the B-mode region is used, or the whole image if no
        such region is known
    framing : how to crop

    With an outliner, the nodule's mask is the outline that it draws: inside the given ROI, between
    the caliper marks, or of the likeliest nodule in the picture. The ROI alone determines the size.

    Returns
    -------
    Nodule
        its `mask` is the ROI itself, without the margin.

    Raises
    ------
    RoiOutsideImage, ImageBlank
    """
    height, width = image.pixels.shape
    image_box = Box(x=0, y=0, width=width, height=height)
    if roi:
        return _crop_roi(image, roi, framing, image_box)
    part = _remove_marks(image, image.region or image_box)
    caliper_roi = None
    if framing.calipers:
        caliper_roi = roi_from_marks(part.marks, width=width, height=height)
    if caliper_roi is None:
        return _crop_unmarked(image, part, framing)
    spacing_mm = image.spacing_at(caliper_roi.bounds)
    size_mm = caliper_mm(part.marks, spacing_mm) if spacing_mm else None
    roi = _outlined(caliper_roi, part, framing)
    nodule = _build_nodule(
        image,
        part,
        crop_box=roi.bounds.expand(framing.margin, part.box),
        roi=roi,
        size_mm=size_mm,
        findings=(ROI_FROM_CALIPERS,),
        has_outline=framing.outliner is not None,
    )
    return replace(nodule, roi=roi, roi_source=RoiSource.CALIPERS)


def _crop_unmarked(
    image: UltrasoundImage, part: _CleanedPart, framing: Framing
) -> Nodule:
    """Crop the likeliest nodule of a picture on which nothing is marked.

    Without an outliner, and where it finds none, the nodule is the whole picture.
    """
    if framing.outliner is None:
        return _build_nodule(image, part, crop_box=part.box, findings=(NO_ROI,))
    rows, columns = part.pixels.shape
    region = Box(x=0, y=0, width=columns, height=rows)
    proposals = framing.outliner.propose(part.pixels, region)
    if not proposals:
        nodule = _build_nodule(
            image, part, crop_box=part.box, findings=(NO_NODULE_FOUND,)
        )
        return replace(nodule, is_found=False)
    traced = framing.outliner.trace(part.pixels, Roi(box=proposals[0]))
    roi = traced.shifted(right=part.box.x, down=part.box.y)
    findings: tuple[Finding, ...] = (NODULE_PROPOSED,)
    if len(proposals) > 1:
        findings = (*findings, _other_proposals(len(proposals) - 1))
    nodule = _build_nodule(
        image,
        part,
        crop_box=roi.bounds.expand(framing.margin, part.box),
        roi=roi,
        size_mm=_calibrated_diameter_mm(image, roi),
        findings=findings,
        has_outline=True,
    )
    return replace(nodule, roi=roi, roi_source=RoiSource.NETWORK)


def _outlined(roi: Roi, part: _CleanedPart, framing: Framing) -> Roi:
    """Return the outline that is read for an ROI, in pixels of the image."""
    if framing.outliner is None:
        return roi
    in_part = roi.shifted(right=-part.box.x, down=-part.box.y)
    traced = framing.outliner.trace(part.pixels, in_part)
    return traced.shifted(right=part.box.x, down=part.box.y)


def _crop_roi(
    image: UltrasoundImage, roi: Roi, framing: Framing, image_box: Box
) -> Nodule:
    roi.check_inside(width=image_box.width, height=image_box.height)
    search_margin = framing.margin + MARK_SEARCH_MARGIN
    part = _remove_marks(image, roi.bounds.expand(search_margin, image_box))
    outline = _outlined(roi, part, framing)
    nodule = _build_nodule(
        image,
        part,
        crop_box=outline.bounds.expand(framing.margin, part.box),
        roi=outline,
        size_mm=_calibrated_diameter_mm(image, roi),
        has_outline=outline.polygon is not None,
    )
    return replace(nodule, roi=outline, roi_source=RoiSource.READER)


def _remove_marks(image: UltrasoundImage, box: Box) -> _CleanedPart:
    rows = slice(box.y, box.y + box.height)
    columns = slice(box.x, box.x + box.width)
    pixels = np.ascontiguousarray(image.pixels[rows, columns])
    marks = find_marks(pixels)
    return _CleanedPart(
        box=box,
        pixels=remove_marks(pixels, marks),
        marks=tuple(mark.shifted(right=box.x, down=box.y) for mark in marks),
    )


def _build_nodule(
    image: UltrasoundImage,
    part: _CleanedPart,
    *,
    crop_box: Box,
    roi: Roi | None = None,
    size_mm: float | None = None,
    findings: tuple[Finding, ...] = (),
    has_outline: bool = False,
) -> Nodule:
    pixels = part.crop(crop_box)
    mask = roi.mask(crop_box) if roi else np.ones(pixels.shape, bool)
    return Nodule(
        pixels=pixels,
        mask=mask,
        has_outline=has_outline,
        findings=(
            *image.findings,
            *findings,
            *part.removal_findings(crop_box),
            *quality_findings(pixels, mask),
        ),
        diameter_mm=size_mm,
        crop_box=crop_box,
        frame=whole_frame(image),
    )


def whole_frame(image: UltrasoundImage) -> NDArray[np.uint8]:
    """Return the B-mode region, or the whole image if no such region is known, as a square.

    Width and height are scaled separately, as in the input of a network: (`FRAME_PX`, `FRAME_PX`).
    """
    pixels = image.pixels
    if image.region is not None:
        box = image.region
        pixels = pixels[box.y : box.y + box.height, box.x : box.x + box.width]
    shrinks = min(pixels.shape) >= FRAME_PX
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    frame = cv2.resize(
        np.ascontiguousarray(pixels), (FRAME_PX, FRAME_PX), interpolation=interpolation
    )
    return np.asarray(frame, np.uint8)


def _calibrated_diameter_mm(image: UltrasoundImage, roi: Roi) -> float | None:
    """Return the ROI's diameter in mm.

    It is None if the ROI is outside the regions to which the calibration applies.
    """
    spacing_mm = image.spacing_at(roi.bounds)
    return diameter_mm(roi, spacing_mm) if spacing_mm else None


def _other_proposals(count: int) -> Finding:
    others = "1 other place" if count == 1 else f"{count} other places"
    return Finding(
        "several-proposals",
        f"SERA found what may be a nodule in {others} too, and read the likeliest one. "
        "Send each nodule with a box of its own.",
        {"others": count},
    )


def _marks_removed(mark_count: int, has_dots: bool) -> Finding:
    facts = {"marks": mark_count, "dots": has_dots}
    if not mark_count:
        return Finding(
            "calipers-removed",
            "The dots between caliper marks were painted over before reading.",
            facts,
        )
    is_one_mark = mark_count == 1
    marks = f"{mark_count} burnt-in caliper marks and letters"
    if is_one_mark:
        marks = "1 burnt-in caliper mark or letter"
    dots = ", with the dots between them," if has_dots else ""
    verb = "was" if is_one_mark and not has_dots else "were"
    return Finding(
        "calipers-removed",
        f"{marks}{dots} {verb} painted over before the image was read.",
        facts,
    )
