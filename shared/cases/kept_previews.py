"""Keeps previewed images for a short time, so that outlines can be asked of them and cases be made
of them.
"""

import math
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from shared.cases.admission import LimitReached
from shared.cases.intake import ImageIntake
from shared.domain.burnt_in_text import TextPolicy
from shared.domain.image_source import ImageSource
from shared.errors import NotFound
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


class PreviewNotKept(NotFound):
    code = "preview-not-kept"
    text = (
        "There is no such preview any more: a previewed image is erased after a short time. Send "
        "the image itself, or preview it again."
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
        text_policy: TextPolicy,
    ) -> KeptPreview:
        """Store a cleaned image; the commit of the session's transaction keeps it.

        `frame` is the one that was chosen of a loop, from 1; `text_policy` the one that the image
        was cleaned by. Raises StorageFull, Unavailable.
        """
        image = self._intake.store(header, cleaned)
        self._intake.hold(session, image, cleaned)
        preview = NewPreview(
            **vars(image), frame=frame, source=source, text_policy=text_policy
        )
        return session.previews.keep(preview, self._limits.duration)

    def keep_again(
        self, session: HospitalSession, preview_id: UUID, preview: NewPreview
    ) -> KeptPreview:
        """Keep a preview, whose object is held, in place of an earlier one that is erased."""
        kept = session.previews.keep(preview, self._limits.duration)
        session.previews.erase(preview_id)
        return kept

    def take(
        self, session: HospitalSession, preview_id: UUID, text_policy: TextPolicy
    ) -> NewPreview:
        """Return a kept preview, whose image stays at least until the transaction ends.

        `text_policy` is the hospital's present one. Raises PreviewNotKept, also for an image with
        text that the hospital now wants painted over.
        """
        preview = session.previews.find(preview_id)
        if preview is None or not self._intake.hold_kept(session, preview):
            raise PreviewNotKept
        is_blanked = preview.text_policy == TextPolicy.BLANK
        if text_policy is TextPolicy.BLANK and not is_blanked:
            raise PreviewNotKept
        return preview
