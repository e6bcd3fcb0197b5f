"""Keeps previewed images for a short time, so that outlines can be asked of them."""

import math
from dataclasses import dataclass
from datetime import timedelta

from shared.cases.admission import LimitReached
from shared.cases.intake import ImageIntake
from shared.domain.image_source import ImageSource
from shared.imaging import Header
from shared.imaging.deidentify import CleanedFile
from shared.ledger import HospitalSession
from shared.ledger.previews.repository import KeptPreview, NewPreview, PreviewUsage
from shared.settings import Settings


class PreviewsFull(LimitReached):
    code = "previews-full"
    text = (
        "SERA keeps {limit} previewed images of a hospital at most. Preview the image without "
        "`keep`, or send it again in {retry_after_s} s."
    )


@dataclass(frozen=True)
class PreviewLimits:
    """What the kept previews of one hospital may take, and how long each is kept."""

    count: int
    bytes: int
    duration: timedelta

    @classmethod
    def from_settings(cls, settings: Settings) -> "PreviewLimits":
        return cls(
            count=settings.max_kept_previews,
            bytes=settings.max_kept_previews_mib * 2**20,
            duration=timedelta(minutes=settings.preview_kept_min),
        )

    def is_reached(self, usage: PreviewUsage) -> bool:
        return usage.count >= self.count or usage.bytes >= self.bytes


class KeptPreviews:
    def __init__(self, intake: ImageIntake, limits: PreviewLimits) -> None:
        self._intake = intake
        self._limits = limits

    def check_room(self, session: HospitalSession) -> None:
        """Raise PreviewsFull if the hospital's kept previews take all that they may."""
        usage = session.previews.usage()
        if self._limits.is_reached(usage):
            raise PreviewsFull(
                limit=self._limits.count,
                retry_after_s=max(math.ceil(usage.frees_in_s), 1),
            )

    def keep(
        self,
        session: HospitalSession,
        *,
        header: Header,
        cleaned: CleanedFile,
        frame: int | None,
        source: ImageSource,
    ) -> KeptPreview:
        """Store a cleaned image; the commit of the session's transaction keeps it.

        `frame` is the one that was chosen of a loop, from 1. Raises StorageFull, Unavailable.
        """
        image = self._intake.store(header, cleaned)
        self._intake.hold(session, image)
        preview = NewPreview(
            image_sha256=image.sha256,
            image_bytes=len(image.data),
            image_format=image.header.format,
            width=image.header.width,
            height=image.header.height,
            frame=frame,
            device=image.header.device,
            source=source,
            removed=image.removed,
            findings=[finding.to_json() for finding in image.findings],
        )
        return session.previews.keep(preview, self._limits.duration)
