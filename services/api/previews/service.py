"""Previews an image: cleans it, decodes it in another process, rectifies a photo, detects
calipers.
"""

from base64 import b64encode
from dataclasses import dataclass, replace
from typing import BinaryIO

import cv2

from services.api.dependencies import Dependencies
from services.api.previews.schemas import (
    PhotoView,
    Point,
    PreviewImage,
    PreviewView,
    SuggestedRoi,
)
from shared.domain.burnt_in_text import TextPolicy
from shared.errors import TooLarge
from shared.imaging import (
    Mark,
    UltrasoundImage,
    find_marks,
    inspect,
    photos,
    roi_from_marks,
)
from shared.imaging.calipers import caliper_mm, end_marks
from shared.imaging.deidentify import blank_text, burnt_in_text
from shared.imaging.image import Box
from shared.imaging.regions.crop import ROI_FROM_CALIPERS
from shared.ledger import HospitalSession


@dataclass(frozen=True)
class PreviewRequest:
    """An uploaded image, and how to preview it."""

    image: BinaryIO
    frame: int | None = None
    is_photo: bool = False
    corners: str | None = None


def create_preview(
    dependencies: Dependencies, session: HospitalSession, request: PreviewRequest
) -> PreviewView:
    """Return the preview of an image. Nothing is stored.

    The transaction ends before the image is decoded.
    """
    text_policy = session.text_policies.read()
    session.transaction.commit()
    header = inspect(request.image)
    frame = header.frame_index(request.frame) + 1
    data = _read(request.image, dependencies.settings.max_upload_bytes)
    cleaned = dependencies.deidentifier.clean(data, session.hospital_id)
    image = dependencies.decoder_pool.decode(
        cleaned.data, request.frame, session.hospital_id
    )
    if text_policy is TextPolicy.BLANK:
        image = blank_text(image)
    photo: PhotoView | None = None
    if request.is_photo:
        image, photo = _rectified(image, request.corners)
    height, width = image.pixels.shape
    calipers = _calipers(image)
    findings = [*cleaned.findings, *image.findings]
    if text_policy is not TextPolicy.OFF:
        findings.extend(burnt_in_text(image))
    if calipers.roi is not None:
        findings.append(ROI_FROM_CALIPERS)
    return PreviewView(
        format=header.format,
        width=width,
        height=height,
        frames=header.frames,
        frame=frame,
        roi=calipers.roi,
        roi_from="calipers" if calipers.roi else None,
        calipers=calipers.ends,
        size_mm=calipers.size_mm,
        size_from="calipers" if calipers.size_mm else None,
        spacing_mm=image.spacing_mm,
        warnings=list(findings),
        photo=photo,
        preview=PreviewImage(base64=_png_base64(image)),
    )


def _read(image: BinaryIO, limit: int) -> bytes:
    image.seek(0)
    data = image.read(limit + 1)
    if len(data) > limit:
        raise TooLarge(limit_mib=f"{limit / 2**20:.3g}")
    return data


def _rectified(
    image: UltrasoundImage, sent_corners: str | None
) -> tuple[UltrasoundImage, PhotoView]:
    """Return the picture on the screen, and the quality of the photo.

    The picture has no scale and no regions, because the scale and regions of the photo are wrong
    for it.
    """
    height, width = image.pixels.shape
    corners = _screen_corners(image, sent_corners)
    picture = photos.rectify_photo(image.pixels, corners.corners)
    faults = photos.measure_faults(picture)
    advice = photos.fault_findings(faults)
    photo = PhotoView(
        corners=corners.corners.tolist(),
        found=corners.is_screen,
        **vars(faults),
        retake=bool(advice),
        advice=list(advice),
        width=width,
        height=height,
    )
    return replace(
        image, pixels=picture, spacing_mm=None, region=None, regions=()
    ), photo


def _screen_corners(image: UltrasoundImage, sent: str | None) -> photos.ScreenCorners:
    if sent is None:
        return photos.find_corners(image.pixels)
    height, width = image.pixels.shape
    corners = photos.parse_corners(sent, width, height)
    return photos.ScreenCorners(corners, is_screen=True)


@dataclass(frozen=True)
class Calipers:
    """The caliper marks at the ends of a diameter in pixels, and the ROI and size derived from
    them.
    """

    ends: list[Point]
    roi: SuggestedRoi | None
    size_mm: float | None


def _calipers(image: UltrasoundImage) -> Calipers:
    height, width = image.pixels.shape
    marks = _marks(image)
    roi = roi_from_marks(marks, width, height)
    spacing_mm = image.spacing_at(roi.bounds) if roi else image.spacing_mm
    size_mm = caliper_mm(marks, spacing_mm) if spacing_mm else None
    return Calipers(
        ends=[(mark.x, mark.y) for mark in end_marks(marks)],
        roi=_suggested(roi.bounds) if roi else None,
        size_mm=round(size_mm, 1) if size_mm else None,
    )


def _suggested(box: Box) -> SuggestedRoi:
    return SuggestedRoi(box=(box.x, box.y, box.width, box.height))


def _png_base64(image: UltrasoundImage) -> str:
    png = cv2.imencode(".png", image.pixels)[1].tobytes()
    return b64encode(png).decode()


def _marks(image: UltrasoundImage) -> tuple[Mark, ...]:
    """Detect caliper marks, only in the B-mode region if the file names that region."""
    height, width = image.pixels.shape
    region = image.region or Box(0, 0, width, height)
    rows = slice(region.y, region.y + region.height)
    columns = slice(region.x, region.x + region.width)
    pixels = image.pixels[rows, columns].copy()
    return tuple(mark.shifted(region.x, region.y) for mark in find_marks(pixels))
