"""Previews an image: cleans it, decodes it in another process, rectifies a photo, detects
calipers, and keeps it for a short time if its sender asks for that.
"""

from base64 import b64encode
from dataclasses import dataclass, replace
from io import BytesIO
from typing import BinaryIO
from uuid import UUID

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
from shared.domain.image_source import ImageSource
from shared.domain.results.findings import Finding
from shared.errors import TooLarge
from shared.imaging import (
    Header,
    Mark,
    UltrasoundImage,
    find_marks,
    inspect,
    photos,
    roi_from_marks,
)
from shared.imaging.calipers import caliper_mm, end_marks
from shared.imaging.deidentify import CleanedFile, blank_text, burnt_in_text
from shared.imaging.image import Box
from shared.imaging.regions.crop import ROI_FROM_CALIPERS
from shared.ledger import HospitalSession
from shared.ledger.previews.repository import KeptPreview


@dataclass(frozen=True)
class PreviewRequest:
    """An uploaded image, and how to preview it."""

    image: BinaryIO
    frame: int | None = None
    is_photo: bool = False
    corners: str | None = None
    keep: bool = False


def create_preview(
    dependencies: Dependencies, session: HospitalSession, request: PreviewRequest
) -> PreviewView:
    """Return the preview of an image. Nothing is stored, unless the image is to be kept.

    The transaction ends before the image is decoded; another one keeps the image.
    """
    text_policy = session.text_policies.read()
    if request.keep:
        dependencies.kept_previews.check_room(session)
    session.transaction.commit()
    upload = _read_upload(request, dependencies.settings.max_upload_bytes)
    header = upload.header
    cleaner = _Cleaner(dependencies, session.hospital_id, text_policy, request.keep)
    cleaned = cleaner.clean(upload)
    image = dependencies.decoder_pool.decode(
        cleaned.data, request.frame, session.hospital_id
    )
    if text_policy is TextPolicy.BLANK:
        image = blank_text(image)
    photo: PhotoView | None = None
    if request.is_photo:
        image, photo = _rectified(image, request.corners)
    stored_preview: KeptPreview | None = None
    if request.keep and request.is_photo:
        stored_preview = _keep_picture(dependencies, session, cleaner, image)
    elif request.keep:
        stored_preview = dependencies.kept_previews.keep(
            session,
            header=header,
            cleaned=cleaned,
            frame=request.frame,
            source=ImageSource.FILE,
            text_policy=text_policy,
        )
    height, width = image.pixels.shape
    calipers = _calipers(image)
    return PreviewView(
        id=stored_preview.id if stored_preview else None,
        expires_at=stored_preview.expires_at if stored_preview else None,
        links=_links(stored_preview),
        format=header.format,
        width=width,
        height=height,
        frames=header.frames,
        frame=header.frame_index(request.frame) + 1,
        roi=calipers.roi,
        roi_from="calipers" if calipers.roi else None,
        calipers=calipers.ends,
        size_mm=calipers.size_mm,
        size_from="calipers" if calipers.size_mm else None,
        spacing_mm=image.spacing_mm,
        warnings=_findings(cleaned, image, calipers, text_policy),
        photo=photo,
        preview=PreviewImage(base64=b64encode(_png(image)).decode()),
    )


def _findings(
    cleaned: CleanedFile,
    image: UltrasoundImage,
    calipers: "Calipers",
    text_policy: TextPolicy,
) -> list[Finding]:
    findings = [*cleaned.findings, *image.findings]
    if text_policy is not TextPolicy.OFF:
        findings.extend(burnt_in_text(image))
    if calipers.roi is not None:
        findings.append(ROI_FROM_CALIPERS)
    return findings


def _links(preview: KeptPreview | None) -> dict[str, str]:
    if preview is None:
        return {}
    return {"outlines": f"/v1/previews/{preview.id}/outlines"}


@dataclass(frozen=True)
class _Upload:
    """An image as it came, and the frame that was chosen."""

    header: Header
    original: bytes
    frame: int | None


@dataclass(frozen=True)
class _Cleaner:
    """De-identifies previews. One that is kept is cleaned exactly like the image of a case."""

    dependencies: Dependencies
    hospital_id: UUID
    text_policy: TextPolicy
    keep: bool

    def clean(self, upload: _Upload) -> CleanedFile:
        """Text is painted over in the file only where the file is kept; a preview without that
        shows its picture without text.
        """
        if self.keep and self.text_policy is TextPolicy.BLANK:
            return self.dependencies.intake.clean(
                header=upload.header,
                original=upload.original,
                frame=upload.frame,
                hospital_id=self.hospital_id,
                text_policy=self.text_policy,
            )
        return self.dependencies.deidentifier.clean(upload.original, self.hospital_id)


def _keep_picture(
    dependencies: Dependencies,
    session: HospitalSession,
    cleaner: _Cleaner,
    picture: UltrasoundImage,
) -> KeptPreview:
    """Keep the picture that was rectified from a photo, as its sender submits it."""
    png = _png(picture)
    upload = _Upload(header=inspect(BytesIO(png)), original=png, frame=None)
    return dependencies.kept_previews.keep(
        session,
        header=upload.header,
        cleaned=cleaner.clean(upload),
        frame=None,
        source=ImageSource.PHOTO,
        text_policy=cleaner.text_policy,
    )


def _read_upload(request: PreviewRequest, limit: int) -> _Upload:
    """Raises InputError, TooLarge."""
    header = inspect(request.image)
    header.frame_index(request.frame)
    original = _read(request.image, limit)
    return _Upload(header=header, original=original, frame=request.frame)


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


def _png(image: UltrasoundImage) -> bytes:
    return cv2.imencode(".png", image.pixels)[1].tobytes()


def _marks(image: UltrasoundImage) -> tuple[Mark, ...]:
    """Detect caliper marks, only in the B-mode region if the file names that region."""
    height, width = image.pixels.shape
    region = image.region or Box(0, 0, width, height)
    rows = slice(region.y, region.y + region.height)
    columns = slice(region.x, region.x + region.width)
    pixels = image.pixels[rows, columns].copy()
    return tuple(mark.shifted(region.x, region.y) for mark in find_marks(pixels))
