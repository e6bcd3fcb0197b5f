"""Looks at an image: cleaned, decoded elsewhere, made straight if it is a photo, searched for calipers."""

from base64 import b64encode
from dataclasses import dataclass, replace
from typing import BinaryIO

import cv2

from services.api.dependencies import Wiring
from services.api.looks.schemas import Look, PhotoSeen, Preview, SuggestedRoi, told
from shared.errors import TooLarge
from shared.imaging import Mark, UltrasoundImage, find_marks, inspect, photos, roi_from_marks
from shared.imaging.calipers import caliper_mm, ends
from shared.imaging.crop import ROI_FROM_CALIPERS
from shared.imaging.deidentify import burnt_in_text
from shared.imaging.image import Box


@dataclass(frozen=True)
class Glance:
    """What is to be looked at, and how."""

    image: BinaryIO
    frame: int | None = None
    photo: bool = False
    corners: str | None = None


def look(wired: Wiring, asked: Glance) -> Look:
    """What is seen; nothing of it is kept."""
    header = inspect(asked.image)
    frame = header.frame_index(asked.frame) + 1
    data = _read(asked.image, wired.settings.max_upload_bytes)
    image = wired.eyes.decode(wired.deidentifier.clean(data).data, asked.frame)
    image, photo = _straight(image, asked.corners) if asked.photo else (image, None)
    return Look(
        format=header.format, frames=header.frames, frame=frame, photo=photo, **_seen(image)
    )


def _read(image: BinaryIO, limit: int) -> bytes:
    image.seek(0)
    data = image.read(limit + 1)
    if len(data) > limit:
        raise TooLarge(limit_mib=f"{limit / 2**20:.3g}")
    return data


def _straight(image: UltrasoundImage, sent: str | None) -> tuple[UltrasoundImage, PhotoSeen]:
    """The picture on the screen, without the photo's own scale and regions, and what the photo is like."""
    height, width = image.pixels.shape
    if sent is None:
        seen = photos.find_corners(image.pixels)
    else:
        seen = photos.Found(photos.read_corners(sent, width, height), True)
    picture = photos.straighten(image.pixels, seen.corners)
    faults = photos.measure(picture)
    advice = photos.findings(faults)
    facts = {
        "found": seen.found,
        "retake": bool(advice),
        "advice": told(advice),
        "width": width,
        "height": height,
    }
    photo = PhotoSeen(corners=seen.corners.tolist(), **vars(faults), **facts)
    return replace(image, pixels=picture, spacing_mm=None, region=None), photo


def _seen(image: UltrasoundImage) -> dict[str, object]:
    height, width = image.pixels.shape
    marks = _marks(image)
    roi, spacing = roi_from_marks(marks, width, height), image.spacing_mm
    size_mm = caliper_mm(marks, spacing) if spacing else None
    findings = (*image.findings, *(() if image.region else burnt_in_text(image.pixels)))
    box = roi and roi.bounds
    return {
        "width": width,
        "height": height,
        "roi": box and SuggestedRoi(box=(box.x, box.y, box.width, box.height)),
        "roi_from": "calipers" if box else None,
        "calipers": [(mark.x, mark.y) for mark in ends(marks)],
        "size_mm": size_mm and round(size_mm, 1),
        "size_from": "calipers" if size_mm else None,
        "spacing_mm": spacing,
        "warnings": told((*findings, ROI_FROM_CALIPERS) if box else findings),
        "preview": Preview(base64=b64encode(cv2.imencode(".png", image.pixels)[1]).decode()),
    }


def _marks(image: UltrasoundImage) -> tuple[Mark, ...]:
    """In the B-mode area alone, where the file names it."""
    height, width = image.pixels.shape
    part = image.region or Box(0, 0, width, height)
    pixels = image.pixels[part.y : part.y + part.height, part.x : part.x + part.width].copy()
    return tuple(mark.shifted(part.x, part.y) for mark in find_marks(pixels))
