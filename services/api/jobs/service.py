"""Reads jobs for their hospital: at once, when they change, or page by page."""

import asyncio
import base64
import binascii
import hashlib
import time
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from functools import partial
from uuid import UUID

from services.api.audit.seen import Subject
from services.api.dependencies import Wiring
from services.api.doorman import still_known
from services.api.jobs.patience import patiently
from services.api.jobs.schemas import JobPage, JobView, view
from shared.domain.events import Event
from shared.domain.jobs import FINAL, JobState
from shared.errors import InputError, NotFound, Unauthenticated
from shared.ledger import HospitalSession
from shared.ledger.cases import CaseErased
from shared.ledger.hospitals import Caller
from shared.ledger.jobs import Job


class CursorInvalid(InputError):
    code = "cursor-invalid"
    text = "This cursor was not made by this server. Start again without one."


class JobDesk:
    """Answers questions about jobs; a poll is one indexed read."""

    def __init__(self, wired: Wiring, who: Caller) -> None:
        self._wired, self._who = wired, who

    def read(self, job_id: UUID) -> JobView:
        """The job now; raises NotFound for another hospital's as for none, CaseErased for an erased case's."""
        with self._wired.ledger.hospital_session(self._who.hospital_id, self._who.actor) as session:
            job = session.jobs.find(job_id)
            if job is None:
                raise NotFound(thing="job")
            read = self._note(session, [job])
        self._wired.seen.remember(self._who, Event.RESULT_READ, read)
        return view(job, self._eta_s(job))

    async def wait(self, job_id: UUID, wait_s: float) -> JobView:
        """The job as soon as it is final, or as it is after `wait_s`."""
        until = time.monotonic() + min(wait_s, self._wired.settings.long_poll_max_s)
        job = await asyncio.to_thread(self.read, job_id)
        while job.state not in FINAL and (left := until - time.monotonic()) > 0:
            await self._wired.watch.changed(job_id, left)
            if not await patiently(partial(still_known, self._wired.ledger, self._who), until):
                raise Unauthenticated
            job = await patiently(partial(self.read, job_id), until)
        return job

    async def follow(self, job_id: UUID) -> AsyncIterator[JobView]:
        """The job each time it changes, until it is final, its case is erased, or the key or session has ended."""
        seen: JobView | None = None
        while seen is None or seen.state not in FINAL:
            try:
                job = await patiently(partial(self.read, job_id))
            except CaseErased:
                return
            if job != seen:
                yield job
            seen = job
            if seen.state not in FINAL:
                await self._wired.watch.changed(job_id, self._wired.settings.long_poll_max_s)
                if not await patiently(partial(still_known, self._wired.ledger, self._who)):
                    return

    def page(self, state: JobState | None, cursor: str | None, limit: int) -> JobPage:
        with self._wired.ledger.hospital_session(self._who.hospital_id, self._who.actor) as session:
            jobs = session.jobs.page(state, _seen(cursor), limit + 1)
            read = self._note(session, jobs[:limit])
        self._wired.seen.remember(self._who, Event.RESULT_READ, read)
        more = len(jobs) > limit
        return JobPage(
            jobs=[view(job) for job in jobs[:limit]],
            next_cursor=_cursor(jobs[limit - 1]) if more else None,
        )

    def cancel(self, job_id: UUID) -> JobView:
        with self._wired.ledger.hospital_session(self._who.hospital_id, self._who.actor) as session:
            if not session.jobs.cancel(job_id):
                raise NotFound(thing="job")
        return self.read(job_id)

    def _note(self, session: HospitalSession, jobs: Sequence[Job]) -> list[Subject]:
        read = [(job.case_id, job.id) for job in jobs if job.result is not None]
        return self._wired.seen.note(session, self._who, Event.RESULT_READ, read)

    def _eta_s(self, job: Job) -> float | None:
        pace = self._wired.pace.jobs_per_s() if job.position else None
        return round(job.position / pace, 1) if pace else None


def etag(job: JobView) -> str:
    return f'"{hashlib.sha256(job.model_dump_json().encode()).hexdigest()[:20]}"'


def _cursor(job: Job) -> str:
    return base64.urlsafe_b64encode(f"{job.created_at.isoformat()} {job.id}".encode()).decode()


def _seen(cursor: str | None) -> tuple[datetime, UUID] | None:
    if cursor is None:
        return None
    try:
        at, job_id = base64.urlsafe_b64decode(cursor).decode().split(" ")
        return datetime.fromisoformat(at), UUID(job_id)
    except (ValueError, binascii.Error) as error:
        raise CursorInvalid from error
