"""Previews an image: cleans it, decodes it in another process, rectifies a photo, detects
calipers, and keeps it for a short time if its sender asks for that.
"""

from base64 import b64encode
from collections import Counter
from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace
from io import BytesIO
from typing import BinaryIO
from uuid import UUID

import cv2

from services.api.cases.picture import calibration_of
from services.api.dependencies import Dependencies
from services.api.previews.schemas import (
    CalibrationView,
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
from shared.imaging.deidentify import (
    CleanedFile,
    blank_text,
    burnt_in_text,
    cover,
)
from shared.imaging.image import Box
from shared.imaging.regions.crop import ROI_FROM_CALIPERS
from shared.ledger import HospitalSession
from shared.ledger.previews.repository import KeptPreview


@dataclass(frozen=True)
class PreviewRequest:
    """An uploaded image or the id of a kept preview, and how to preview it.

    `covers` are areas of the preview that are blackened, in the stored image too.
    """

    image: BinaryIO | UUID
    frame: int | None = None
    is_photo: bool = False
    corners: str | None = None
    keep: bool = False
    covers: tuple[Box, ...] = ()


def create_preview(
    dependencies: Dependencies, session: HospitalSession, request: PreviewRequest
) -> PreviewView:
    """Return the preview of an image. Nothing is stored, unless the image is to be kept.

    The transaction ends before the image is decoded; another one keeps the image. Raises
    InputError, PreviewNotKept, PreviewsFull.
    """
    text_policy = session.text_policies.read()
    if isinstance(request.image, UUID):
        return _preview_again(
            dependencies, session, request, request.image, text_policy
        )
    if request.keep:
        dependencies.kept_previews.check_room(session)
    session.transaction.commit()
    upload = _read_upload(request.image, request, dependencies)
    cleaner = _Cleaner(dependencies, session.hospital_id, text_policy, request)
    cleaned = cleaner.clean(upload)
    image = dependencies.decoder_pool.decode(
        cleaned.data, request.frame, session.hospital_id
    )
    if text_policy is TextPolicy.BLANK:
        image = blank_text(image)
    photo: PhotoView | None = None
    if request.is_photo:
        image, photo = _rectified(image, request.corners)
    image = cover(image, request.covers)
    stored_preview: KeptPreview | None = None
    if request.keep and request.is_photo:
        stored_preview = _keep_picture(dependencies, session, cleaner, image)
    elif request.keep:
        stored_preview = dependencies.kept_previews.keep(
            session,
            header=upload.header,
            cleaned=cleaned,
            frame=request.frame,
            source=ImageSource.FILE,
            text_policy=text_policy,
        )
    findings = _findings(cleaned.findings, image, text_policy)
    shown = _Shown(image, upload.header, request.frame, findings, photo)
    return _view(shown, stored_preview)


def _preview_again(
    dependencies: Dependencies,
    session: HospitalSession,
    request: PreviewRequest,
    preview_id: UUID,
    text_policy: TextPolicy,
) -> PreviewView:
    """Preview another frame of a kept preview, or blacken areas of it.

    If it is to be kept, the new preview takes the place of the old one.
    """
    kept = dependencies.kept_previews.take(session, preview_id, text_policy)
    session.transaction.commit()
    data = dependencies.objects.get(kept.image_sha256)
    header = inspect(BytesIO(data))
    header.frame_index(request.frame)
    cleaned = CleanedFile(
        data=data,
        removed=Counter(kept.removed),
        findings=tuple(map(Finding.from_json, kept.findings)),
    )
    if request.covers:
        cleaned = _covered(dependencies, session, request, header, cleaned)
    image = dependencies.decoder_pool.decode(
        cleaned.data, request.frame, session.hospital_id
    )
    stored_preview: KeptPreview | None = None
    if request.keep:
        stored = dependencies.intake.store(header, cleaned)
        dependencies.intake.hold(session, stored, cleaned)
        new = replace(
            kept, **vars(replace(stored, device=kept.device)), frame=request.frame
        )
        stored_preview = dependencies.kept_previews.keep_again(session, preview_id, new)
    findings = _findings(cleaned.findings, image, text_policy)
    return _view(_Shown(image, header, request.frame, findings, None), stored_preview)


def _covered(
    dependencies: Dependencies,
    session: HospitalSession,
    request: PreviewRequest,
    header: Header,
    cleaned: CleanedFile,
) -> CleanedFile:
    """Blacken areas of a cleaned file; what was found before is found still."""
    covered = dependencies.intake.clean(
        header=header,
        original=cleaned.data,
        frame=request.frame,
        hospital_id=session.hospital_id,
        text_policy=TextPolicy.OFF,
        covers=request.covers,
    )
    known = {finding.code for finding in cleaned.findings}
    new = (finding for finding in covered.findings if finding.code not in known)
    return CleanedFile(
        data=covered.data,
        removed=cleaned.removed + covered.removed,
        findings=(*cleaned.findings, *new),
    )


@dataclass(frozen=True)
class _Shown:
    """A decoded image as it is shown; `frame` is the one that was asked for."""

    image: UltrasoundImage
    header: Header
    frame: int | None
    findings: list[Finding]
    photo: PhotoView | None


def _view(shown: _Shown, stored_preview: KeptPreview | None) -> PreviewView:
    image = shown.image
    height, width = image.pixels.shape
    calipers = _calipers(image)
    findings = shown.findings
    if calipers.roi is not None:
        findings = [*findings, ROI_FROM_CALIPERS]
    return PreviewView(
        id=stored_preview.id if stored_preview else None,
        expires_at=stored_preview.expires_at if stored_preview else None,
        links=_links(stored_preview),
        format=shown.header.format,
        width=width,
        height=height,
        frames=shown.header.frames,
        frame=shown.header.frame_index(shown.frame) + 1,
        roi=calipers.roi,
        roi_from="calipers" if calipers.roi else None,
        calipers=calipers.ends,
        size_mm=calipers.size_mm,
        size_from="calipers" if calipers.size_mm else None,
        spacing_mm=image.spacing_mm,
        calibration=_calibration(image),
        warnings=findings,
        photo=shown.photo,
        preview=PreviewImage(base64=b64encode(_png(image)).decode()),
    )


def _findings(
    of_cleaning: Sequence[Finding], image: UltrasoundImage, text_policy: TextPolicy
) -> list[Finding]:
    findings = [*of_cleaning, *image.findings]
    if text_policy is not TextPolicy.OFF:
        findings.extend(burnt_in_text(image))
    return findings


def _calibration(image: UltrasoundImage) -> CalibrationView | None:
    scale = calibration_of(image, image.region)
    if scale is None:
        return None
    return CalibrationView(
        row_mm=scale.row_mm, column_mm=scale.column_mm, box=astuple(scale.area)
    )


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
    request: PreviewRequest

    def clean(self, upload: _Upload) -> CleanedFile:
        """Text and covered areas are painted over in the file only where the file is kept; a
        preview without that shows its picture without them. Areas of a photo are covered in the
        picture that is rectified from it.
        """
        covers = () if self.request.is_photo else self.request.covers
        paints = covers or self.text_policy is TextPolicy.BLANK
        if not self.request.keep or not paints:
            return self.dependencies.deidentifier.clean(
                upload.original, self.hospital_id
            )
        return self.dependencies.intake.clean(
            header=upload.header,
            original=upload.original,
            frame=upload.frame,
            hospital_id=self.hospital_id,
            text_policy=self.text_policy,
            covers=covers,
        )


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


def _read_upload(
    image: BinaryIO, request: PreviewRequest, dependencies: Dependencies
) -> _Upload:
    """Raises InputError, TooLarge."""
    header = inspect(image)
    header.frame_index(request.frame)
    original = _read(image, dependencies.settings.max_upload_bytes)
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
