"""Accepts cases: has the image cleaned and stored, then writes case and job in one transaction."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace
from typing import BinaryIO
from uuid import UUID

from shared.cases.admission import Admission, LimitReached
from shared.cases.decoder_pool import DecodersBusy
from shared.cases.intake import ImageIntake
from shared.cases.kept_previews import KeptPreviews
from shared.domain.audit.events import Event
from shared.domain.image_source import ImageSource
from shared.domain.jobs import Priority
from shared.domain.roi_space import RoiSpace
from shared.errors import InputError, TooLarge
from shared.guidelines import Descriptors, descriptors_to_json
from shared.imaging import Box, Roi, inspect, to_upright
from shared.ledger import HospitalSession
from shared.ledger.cases.repository import NewCase
from shared.ledger.cases.stored_image import StoredImage
from shared.ledger.hospitals.rate_limits import RateLimitStatus
from shared.ledger.idempotency.requests import IdempotentRequest
from shared.observability import tracing
from shared.observability.logs import log
from shared.queueing import Notifier
from shared.queueing.app import Tasks


@dataclass(frozen=True, kw_only=True)
class Submission:
    """A submitted case. Its image is still a stream, or the id of a kept preview; the other fields
    are validated.

    With a preview, `frame` and `source` are those of the preview, `roi_space` is upright, and
    nothing is covered any more. `covers` are areas to blacken in pixels of the upright image.
    """

    image: BinaryIO | UUID
    size_mm: float
    roi: Roi | None = None
    roi_space: RoiSpace = RoiSpace.UPRIGHT
    external_id: str | None = None
    priority: Priority = Priority.ROUTINE
    frame: int | None = None
    source: ImageSource = ImageSource.FILE
    batch: str | None = None
    descriptors: Descriptors | None = None
    covers: Sequence[Box] = ()

    def fingerprint(self, image_sha256: str) -> str:
        """A hash that is equal for equal submissions.

        Order and boundary of the form have no effect.

        `image_sha256` is the hash of the original image, so changes of the cleaning have no effect;
        for a preview it is the preview's id.
        Frame, source, batch, descriptors, covers and the space of the ROI are included only if they
        are given, so that receipts from before these fields existed stay valid.
        """
        roi = self.roi.to_json() if self.roi else None
        content: list[object] = [
            image_sha256,
            self.size_mm,
            roi,
            self.external_id,
            self.priority,
        ]
        if self.frame is not None:
            content.append(self.frame)
        if self.source is not ImageSource.FILE:
            content.append(self.source)
        if self.batch is not None:
            content.append({"batch": self.batch})
        if self.descriptors is not None:
            content.append({"descriptors": descriptors_to_json(self.descriptors)})
        if self.roi_space is not RoiSpace.UPRIGHT:
            content.append({"roi_space": self.roi_space})
        if self.covers:
            content.append({"covers": [astuple(box) for box in self.covers]})
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class AcceptedCase:
    """`duplicate_of` is the first case of this hospital with the same content; None if there is
    none.
    """

    case_id: UUID
    job_id: UUID
    duplicate_of: UUID | None


class CaseAcceptance:
    """The use case that the HTTP gateway and other listeners share."""

    def __init__(
        self,
        *,
        intake: ImageIntake,
        kept_previews: KeptPreviews,
        admission: Admission,
        notifier: Notifier,
        max_upload_bytes: int,
    ) -> None:
        self.admission = admission
        self._intake = intake
        self._kept_previews = kept_previews
        self._notifier = notifier
        self._max_upload_bytes = max_upload_bytes

    def accept(
        self,
        submission: Submission,
        session: HospitalSession,
        *,
        idempotent: IdempotentRequest | None = None,
        rate_limit_status: RateLimitStatus | None = None,
    ) -> AcceptedCase:
        """Store image, case and job. The commit of the session's transaction accepts them.

        The frame that will be read is decoded once, so that an unreadable image is refused here.
        The transaction begins when the image is stored, and workers are notified after its commit.
        A case over a limit is refused before its image is read; `rate_limit_status` is the state
        of the limits, if it was read before the image was received. Raises InputError, TooLarge,
        PreviewNotKept, LimitReached, DecodersBusy, StorageFull, Unavailable; AlreadyAnswered and
        others for a repeat.
        """
        if isinstance(submission.image, UUID):
            return self._accept_preview(
                submission, submission.image, session, idempotent, rate_limit_status
            )
        header = inspect(submission.image)
        header.frame_index(submission.frame)
        upright_roi = None
        if submission.roi:
            upright_roi = to_upright(submission.roi, submission.roi_space, header)
        original = self._read(submission.image)
        if idempotent is not None:
            original_sha256 = hashlib.sha256(original).hexdigest()
            idempotent.fingerprint = lambda: submission.fingerprint(original_sha256)
        status = rate_limit_status or self.admission.status_of(session.hospital_id)
        self._check(status, submission.priority, idempotent)
        try:
            cleaned = self._intake.clean(
                header=header,
                original=original,
                frame=submission.frame,
                hospital_id=session.hospital_id,
                text_policy=status.text_policy,
                covers=submission.covers,
            )
        except DecodersBusy:
            if idempotent is not None:
                idempotent.reserve()
            raise
        except InputError:
            self.admission.charge_rejected_image(
                session.hospital_id, submission.priority
            )
            raise
        image = self._intake.store(header, cleaned)
        if idempotent is not None:
            idempotent.reserve()
        present_status = self.admission.check(session, submission.priority)
        self._intake.hold(session, image, cleaned)
        upright = replace(submission, roi=upright_roi, roi_space=RoiSpace.UPRIGHT)
        return self._record(session, upright, image, present_status)

    def _accept_preview(
        self,
        submission: Submission,
        preview_id: UUID,
        session: HospitalSession,
        idempotent: IdempotentRequest | None,
        rate_limit_status: RateLimitStatus | None,
    ) -> AcceptedCase:
        """Accept a case whose image was cleaned, read and stored when it was previewed."""
        if idempotent is not None:
            idempotent.fingerprint = lambda: submission.fingerprint(str(preview_id))
        status = rate_limit_status or self.admission.status_of(session.hospital_id)
        self._check(status, submission.priority, idempotent)
        if idempotent is not None:
            idempotent.reserve()
        present_status = self.admission.check(session, submission.priority)
        preview = self._kept_previews.take(
            session, preview_id, present_status.text_policy
        )
        if submission.roi:
            submission.roi.check_inside(preview.width, preview.height)
        complete = replace(
            submission, frame=preview.frame, source=ImageSource(preview.source)
        )
        return self._record(session, complete, preview, present_status)

    def _check(
        self,
        status: RateLimitStatus,
        priority: Priority,
        idempotent: IdempotentRequest | None,
    ) -> None:
        """Check the limits.

        A repeated request gets its stored response even if it is over a limit.
        """
        try:
            self.admission.check_status(status, priority)
        except LimitReached:
            if idempotent is not None:
                idempotent.reserve()
            raise

    def _read(self, image: BinaryIO) -> bytes:
        limit = self._max_upload_bytes
        image.seek(0)
        original = image.read(limit + 1)
        if len(original) > limit:
            raise TooLarge(limit_mib=f"{limit / 2**20:.3g}")
        return original

    def _record(
        self,
        session: HospitalSession,
        submission: Submission,
        image: StoredImage,
        status: RateLimitStatus,
    ) -> AcceptedCase:
        case = _new_case(submission, image)
        duplicate_of = session.cases.find_first_identical(case)
        case_id = session.cases.add(replace(case, duplicate_of=duplicate_of))
        job_id = session.jobs.create(case_id, submission.priority)
        session.audit.record(
            Event.CASE_ACCEPTED,
            case=case_id,
            job=job_id,
            image=image.image_sha256,
            removed=image.removed,
        )
        self.admission.charge_case(session, status, submission.priority)
        accepted = AcceptedCase(
            case_id=case_id, job_id=job_id, duplicate_of=duplicate_of
        )
        session.transaction.on_commit(
            lambda: self._notify(accepted, submission.priority)
        )
        return accepted

    def _notify(self, accepted: AcceptedCase, priority: Priority) -> None:
        log().info(
            "case.accepted",
            job=str(accepted.job_id),
            case=str(accepted.case_id),
            lane=priority,
        )
        with tracing.span("job.ring", job=str(accepted.job_id)):
            self._notifier.notify(Tasks.INFER, accepted.job_id)


def _new_case(submission: Submission, image: StoredImage) -> NewCase:
    roi = json.loads(submission.roi.to_json()) if submission.roi else None
    descriptors = (
        descriptors_to_json(submission.descriptors) if submission.descriptors else None
    )
    return NewCase(
        image_sha256=image.image_sha256,
        image_bytes=image.image_bytes,
        image_format=image.image_format,
        width=image.width,
        height=image.height,
        size_mm=submission.size_mm,
        roi=roi,
        external_id=submission.external_id,
        frame=submission.frame,
        device=image.device,
        removed=image.removed,
        findings=image.findings,
        source=submission.source,
        batch=submission.batch,
        descriptors=descriptors,
    )
