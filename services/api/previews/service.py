"""Looks at an image: cleaned, decoded elsewhere, made straight if it is a photo, searched for calipers."""

from base64 import b64encode
from dataclasses import dataclass, replace
from typing import BinaryIO

import cv2

from services.api.dependencies import Dependencies
from services.api.previews.schemas import (
    PreviewView,
    PhotoView,
    Point,
    PreviewImage,
    SuggestedRoi,
    finding_views,
)
from shared.errors import TooLarge
from shared.imaging import (
    Mark,
    UltrasoundImage,
    find_marks,
    inspect,
    photos,
    roi_from_marks,
)
from shared.imaging.calipers import caliper_mm, ends
from shared.imaging.deidentify import burnt_in_text
from shared.imaging.image import Box
from shared.imaging.regions.crop import ROI_FROM_CALIPERS


@dataclass(frozen=True)
class PreviewRequest:
    """What is to be looked at, and how."""

    image: BinaryIO
    frame: int | None = None
    photo: bool = False
    corners: str | None = None


def create_preview(dependencies: Dependencies, asked: PreviewRequest) -> PreviewView:
    """What is seen; nothing of it is kept."""
    header = inspect(asked.image)
    frame = header.frame_index(asked.frame) + 1
    data = _read(asked.image, dependencies.settings.max_upload_bytes)
    image = dependencies.decoder_pool.decode(dependencies.deidentifier.clean(data).data, asked.frame)
    photo: PhotoView | None = None
    if asked.photo:
        image, photo = _straight(image, asked.corners)
    height, width = image.pixels.shape
    calipers = _calipers(image)
    findings = [*image.findings, *(() if image.region else burnt_in_text(image.pixels))]
    if calipers.roi:
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
        warnings=finding_views(findings),
        photo=photo,
        preview=PreviewImage(base64=_png_base64(image)),
    )


def _read(image: BinaryIO, limit: int) -> bytes:
    image.seek(0)
    data = image.read(limit + 1)
    if len(data) > limit:
        raise TooLarge(limit_mib=f"{limit / 2**20:.3g}")
    return data


def _straight(
    image: UltrasoundImage, sent: str | None
) -> tuple[UltrasoundImage, PhotoView]:
    """The picture on the screen, without the photo's own scale and regions, and what the photo is like."""
    height, width = image.pixels.shape
    corners = _corners(image, sent)
    picture = photos.straighten(image.pixels, corners.corners)
    faults = photos.measure(picture)
    advice = photos.findings(faults)
    photo = PhotoView(
        corners=corners.corners.tolist(),
        found=corners.found,
        **vars(faults),
        retake=bool(advice),
        advice=finding_views(advice),
        width=width,
        height=height,
    )
    return replace(image, pixels=picture, spacing_mm=None, region=None), photo


def _corners(image: UltrasoundImage, sent: str | None) -> photos.Found:
    if sent is None:
        return photos.find_corners(image.pixels)
    height, width = image.pixels.shape
    return photos.Found(photos.read_corners(sent, width, height), found=True)


@dataclass(frozen=True)
class Calipers:
    """The marks that end a diameter, in pixels, and what follows from them."""

    ends: list[Point]
    roi: SuggestedRoi | None
    size_mm: float | None


def _calipers(image: UltrasoundImage) -> Calipers:
    height, width = image.pixels.shape
    marks = _marks(image)
    roi = roi_from_marks(marks, width, height)
    size_mm = caliper_mm(marks, image.spacing_mm) if image.spacing_mm else None
    return Calipers(
        ends=[(mark.x, mark.y) for mark in ends(marks)],
        roi=_suggested(roi.bounds) if roi else None,
        size_mm=round(size_mm, 1) if size_mm else None,
    )


def _suggested(box: Box) -> SuggestedRoi:
    return SuggestedRoi(box=(box.x, box.y, box.width, box.height))


def _png_base64(image: UltrasoundImage) -> str:
    png = cv2.imencode(".png", image.pixels)[1].tobytes()
    return b64encode(png).decode()


def _marks(image: UltrasoundImage) -> tuple[Mark, ...]:
    """In the B-mode area alone, where the file names it."""
    height, width = image.pixels.shape
    part = image.region or Box(0, 0, width, height)
    pixels = image.pixels[
        part.y : part.y + part.height, part.x : part.x + part.width
    ].copy()
    return tuple(mark.shifted(part.x, part.y) for mark in find_marks(pixels))
