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
from shared.imaging.regions.roi import Click, Prompt, Roi
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


@dataclass(frozen=True)
class ProposedRoi:
    """Where a nodule is, or may be.

    Attributes
    ----------
    roi : a box around it, or its outline
    probability : the mean probability of its pixels that they are a nodule, 0 to 1; None where a
        person or the caliper marks said where the nodule is
    """

    roi: Roi
    probability: float | None = None


@dataclass(frozen=True)
class FoundOutlines:
    """The outlines that are read, in pixels of the image.

    Attributes
    ----------
    outlines : one for a given ROI or caliper marks; at most one for a click; else the likeliest
        first, possibly none
    source : where the region comes from
    """

    outlines: tuple[ProposedRoi, ...]
    source: RoiSource


class Outliner(Protocol):
    """Draws the outlines of nodules. It may be used by several threads."""

    @property
    def digest(self) -> str:
        """A hash of all that determines its outlines."""
        ...

    def trace(self, pixels: NDArray[np.uint8], roi: Roi) -> Roi:
        """Return the outline of the nodule that an ROI marks, on a picture (height, width)."""
        ...

    def propose(
        self, pixels: NDArray[np.uint8], region: Box, click: Click | None = None
    ) -> Sequence[ProposedRoi]:
        """Return boxes of what may be nodules in a region, the likeliest first; at most the one
        that a click is in.
        """
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
    search = _search(image, roi, framing)
    if not search.regions:
        return _crop_whole(image, search.part, framing)
    region = search.regions[0].roi
    outline = _outlined(region, search.part, framing)
    findings: tuple[Finding, ...] = ()
    has_outline = True
    match search.source:
        case RoiSource.READER:
            size_mm = _calibrated_diameter_mm(image, region)
            has_outline = outline.polygon is not None
        case RoiSource.CALIPERS:
            size_mm = _caliper_size_mm(image, search.part, region)
            findings = (ROI_FROM_CALIPERS,)
            has_outline = framing.outliner is not None
        case RoiSource.NETWORK:
            size_mm = _calibrated_diameter_mm(image, outline)
            findings = _proposal_findings(len(search.regions))
    nodule = _build_nodule(
        image,
        search.part,
        crop_box=outline.bounds.expand(framing.margin, search.part.box),
        roi=outline,
        size_mm=size_mm,
        findings=findings,
        has_outline=has_outline,
    )
    return replace(nodule, roi=outline, roi_source=search.source)


def find_outlines(
    image: UltrasoundImage, prompt: Prompt | None, framing: Framing
) -> FoundOutlines:
    """Return the outlines that `crop` would read with this ROI: its nodule is the first of them.
    For a click, return the outline of the nodule there.

    Parameters
    ----------
    image, framing : as those of `crop`

    Raises
    ------
    RoiOutsideImage
    """
    if isinstance(prompt, Click):
        search = _search_at(image, prompt, framing)
    else:
        search = _search(image, prompt, framing)
    outlines = tuple(
        replace(region, roi=_outlined(region.roi, search.part, framing))
        for region in search.regions
    )
    return FoundOutlines(outlines=outlines, source=search.source)


@dataclass(frozen=True, eq=False)
class _Search:
    """Where the nodule is.

    Attributes
    ----------
    part : what was searched, without its caliper marks
    regions : in pixels of the image: the given ROI, the one between caliper marks, or boxes of what
        may be nodules, the likeliest first; none if nothing is marked and nothing was found
    """

    part: _CleanedPart
    source: RoiSource
    regions: tuple[ProposedRoi, ...]


def _search_at(image: UltrasoundImage, click: Click, framing: Framing) -> _Search:
    """Search the nodule at a click, in the B-mode region if the click is in it."""
    image_box = _image_box(image)
    click.check_inside(width=image_box.width, height=image_box.height)
    region = image.region
    is_in_region = region is not None and click.is_inside(region)
    part = _remove_marks(image, region if region and is_in_region else image_box)
    regions = _proposals(part, framing.outliner, click) if framing.outliner else ()
    return _Search(part, RoiSource.READER, regions)


def _image_box(image: UltrasoundImage) -> Box:
    height, width = image.pixels.shape
    return Box(x=0, y=0, width=width, height=height)


def _search(image: UltrasoundImage, roi: Roi | None, framing: Framing) -> _Search:
    height, width = image.pixels.shape
    image_box = _image_box(image)
    if roi:
        roi.check_inside(width=width, height=height)
        search_margin = framing.margin + MARK_SEARCH_MARGIN
        part = _remove_marks(image, roi.bounds.expand(search_margin, image_box))
        return _Search(part, RoiSource.READER, regions=(ProposedRoi(roi),))
    part = _remove_marks(image, image.region or image_box)
    caliper_roi = None
    if framing.calipers:
        caliper_roi = roi_from_marks(part.marks, width=width, height=height)
    if caliper_roi is not None:
        return _Search(part, RoiSource.CALIPERS, regions=(ProposedRoi(caliper_roi),))
    regions = _proposals(part, framing.outliner) if framing.outliner else ()
    return _Search(part, RoiSource.NETWORK, regions)


def _proposals(
    part: _CleanedPart, outliner: Outliner, click: Click | None = None
) -> tuple[ProposedRoi, ...]:
    rows, columns = part.pixels.shape
    region = Box(x=0, y=0, width=columns, height=rows)
    in_part = click.shifted(right=-part.box.x, down=-part.box.y) if click else None
    return tuple(
        replace(proposal, roi=proposal.roi.shifted(right=part.box.x, down=part.box.y))
        for proposal in outliner.propose(part.pixels, region, in_part)
    )


def _crop_whole(image: UltrasoundImage, part: _CleanedPart, framing: Framing) -> Nodule:
    """Crop the whole picture: nothing is marked on it, and no nodule was found."""
    if framing.outliner is None:
        return _build_nodule(image, part, crop_box=part.box, findings=(NO_ROI,))
    nodule = _build_nodule(image, part, crop_box=part.box, findings=(NO_NODULE_FOUND,))
    return replace(nodule, is_found=False)


def _proposal_findings(count: int) -> tuple[Finding, ...]:
    if count == 1:
        return (NODULE_PROPOSED,)
    return (NODULE_PROPOSED, _other_proposals(count - 1))


def _caliper_size_mm(
    image: UltrasoundImage, part: _CleanedPart, roi: Roi
) -> float | None:
    """Return the distance between the caliper marks; None without a calibration."""
    spacing_mm = image.spacing_at(roi.bounds)
    return caliper_mm(part.marks, spacing_mm) if spacing_mm else None


def _outlined(roi: Roi, part: _CleanedPart, framing: Framing) -> Roi:
    """Return the outline that is read for an ROI, in pixels of the image."""
    if framing.outliner is None:
        return roi
    in_part = roi.shifted(right=-part.box.x, down=-part.box.y)
    traced = framing.outliner.trace(part.pixels, in_part)
    return traced.shifted(right=part.box.x, down=part.box.y)


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


def _calibrated_diameter_mm(image: UltrasoundImage, roi: Roi | None) -> float | None:
    """Return the ROI's diameter in mm.

    It is None if the ROI is outside the regions to which the calibration applies.
    """
    if roi is None:
        return None
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
