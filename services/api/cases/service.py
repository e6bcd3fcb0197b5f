"""Takes in cases: cleaned bytes to the object store, case and job to the ledger, then a ring for the workers."""

import hashlib
import json
from dataclasses import dataclass, replace
from typing import BinaryIO
from uuid import UUID

from services.api.cases.assessment import assessed
from services.api.cases.schemas import (
    CaseView,
    NewOutcome,
    OutcomeView,
    Receipt,
    links,
    outcome_view,
)
from services.api.dependencies import Wiring
from shared import tracing
from shared.domain.events import Event
from shared.domain.jobs import JobState, Priority
from shared.domain.source import Source
from shared.errors import NotFound, TooLarge
from shared.guidelines import Descriptors, to_json
from shared.imaging import Header, Roi, inspect
from shared.ledger import HospitalSession, outcomes
from shared.ledger.cases import NewCase
from shared.ledger.hospitals import Caller
from shared.ledger.once import look_for_answer
from shared.objects import Stored
from shared.queueing.app import Tasks
from shared.telemetry import log


@dataclass(frozen=True)
class Submission:
    """A case as it came: the image still a stream, everything else checked for form."""

    image: BinaryIO
    size_mm: float
    roi: Roi | None
    external_id: str | None
    priority: Priority
    frame: int | None = None
    source: Source = Source.FILE
    batch: str | None = None
    descriptors: Descriptors | None = None

    def fingerprint(self, image_sha256: str) -> str:
        """Equal for equal bodies, whatever the order or boundary of the form, and however the image was cleaned.

        Frame, source, batch and descriptors count only where given, so that receipts of before they could be stay good.
        """
        roi = self.roi.to_json() if self.roi else None
        told = [image_sha256, self.size_mm, roi, self.external_id, self.priority]
        told += [] if self.frame is None else [self.frame]
        told += [] if self.source is Source.FILE else [self.source]
        told += [] if self.batch is None else [{"batch": self.batch}]
        told += [] if self.descriptors is None else [{"descriptors": to_json(self.descriptors)}]
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Kept:
    """The cleaned image as it lies in the store, and what was taken out of it."""

    stored: Stored
    data: bytes
    removed: dict[str, int]


@dataclass(frozen=True)
class Accepted:
    """`duplicate_of` is this hospital's first case of the same content, if it had one."""

    case_id: UUID
    job_id: UUID
    duplicate_of: UUID | None


class CaseDesk:
    def __init__(self, wired: Wiring, who: Caller) -> None:
        self._wired, self._who = wired, who

    def accept(self, submission: Submission) -> Receipt:
        """Store image, case and job; answers once all three are durable."""
        header = inspect(submission.image)
        header.frame_index(submission.frame)
        if submission.roi:
            submission.roi.check_inside(header.width, header.height)
        original = self._read(submission.image)
        look_for_answer(submission.fingerprint(hashlib.sha256(original).hexdigest()))
        accepted = self._take(submission, header, original)
        log().info(
            "case.accepted",
            job=str(accepted.job_id),
            case=str(accepted.case_id),
            lane=submission.priority,
        )
        with tracing.span("job.ring", job=str(accepted.job_id)):
            self._wired.doorbell.ring(Tasks.RING, accepted.job_id)
        to = links(accepted.case_id, accepted.job_id)
        return Receipt(state=JobState.QUEUED, links=to, **vars(accepted))

    def find(self, case_id: UUID) -> CaseView:
        with self._book() as session:
            case = session.cases.find(case_id)
            if case is None:
                raise NotFound(thing="case")
            jobs = session.cases.jobs_of(case_id)
            outcome = session.outcomes.latest(case_id)
            read = self._wired.seen.note(session, self._who, Event.CASE_READ, [(case_id, None)])
        self._wired.seen.remember(self._who, Event.CASE_READ, read)
        image = {
            "sha256": case.image_sha256,
            "format": case.image_format,
            "width": case.width,
            "height": case.height,
        }
        names = (
            "external_id",
            "size_mm",
            "roi",
            "frame",
            "device",
            "removed",
            "duplicate_of",
            "created_at",
            "source",
        )
        names += ("batch", "descriptors")
        told = {name: getattr(case, name) for name in names} | {
            "outcome": outcome and outcome_view(outcome)
        }
        told |= {"reader_assessment": assessed(case.descriptors, case.size_mm)}
        return CaseView(
            case_id=case.id, image=image, jobs=jobs, links=links(case.id, jobs[-1]), **told
        )

    def record_outcome(self, case_id: UUID, new: NewOutcome) -> OutcomeView:
        with self._book() as session:
            return outcome_view(session.outcomes.record(case_id, outcomes.NewOutcome(**dict(new))))

    def _read(self, image: BinaryIO) -> bytes:
        limit = self._wired.settings.max_upload_bytes
        image.seek(0)
        original = image.read(limit + 1)
        if len(original) > limit:
            raise TooLarge(limit_mib=f"{limit / 2**20:.3g}")
        return original

    def _take(self, submission: Submission, header: Header, original: bytes) -> Accepted:
        """Only the cleaned image is ever stored; the original is gone with the request."""
        self._wired.admission.take(self._who.hospital_id, self._who.actor, submission.priority)
        cleaned = self._wired.cleaner.clean(original)
        image = Kept(
            self._wired.objects.put(cleaned.data, anew=True), cleaned.data, dict(cleaned.removed)
        )
        with self._book() as session:
            return self._open(session, submission, header, image)

    def _open(
        self, session: HospitalSession, submission: Submission, header: Header, image: Kept
    ) -> Accepted:
        roi = json.loads(submission.roi.to_json()) if submission.roi else None
        case = NewCase(
            image.stored.sha256,
            image.stored.size,
            header.format,
            header.width,
            header.height,
            submission.size_mm,
            roi,
            submission.external_id,
            submission.frame,
            header.device,
            image.removed,
            source=submission.source,
            batch=submission.batch,
            descriptors=submission.descriptors and to_json(submission.descriptors),
        )
        if session.orphans.hold([image.stored.sha256]):
            self._wired.objects.put(image.data)  # an erasure may have removed it since
        first = session.cases.first_of(case)
        case_id = session.cases.add(replace(case, duplicate_of=first))
        job_id = session.jobs.open(case_id, submission.priority)
        details = {"image": image.stored.sha256, "removed": image.removed}
        session.audit.record(Event.CASE_ACCEPTED, case=case_id, job=job_id, **details)
        return Accepted(case_id, job_id, first)

    def _book(self):
        return self._wired.ledger.hospital_session(self._who.hospital_id, self._who.actor)
