"""Reads the jobs of a hospital: immediately, when they change, or page by page."""

import base64
import binascii
import hashlib
import time
from collections.abc import AsyncIterator, Sequence, Set
from datetime import datetime
from functools import partial
from uuid import UUID

from services.api.dependencies import Dependencies
from services.api.jobs.long_poll import LongPoll
from services.api.jobs.retry import retry_while_unavailable
from services.api.jobs.schemas import JobPage, JobView, job_view
from services.api.middleware.transactions import Slot
from services.api.moments import parse_moment
from shared.domain.audit.events import Event
from shared.domain.jobs import FINAL_STATES, JobState
from shared.errors import InputError, NotFound, Unauthenticated
from shared.ledger import HospitalSession
from shared.ledger.cases.repository import CaseErased
from shared.ledger.hospitals.repository import Caller
from shared.ledger.jobs.repository import Job


class CursorInvalid(InputError):
    code = "cursor-invalid"
    text = "This cursor was not made by this server. Start again without one."


class JobService:
    """Reads jobs; a poll is one indexed query.

    While a request waits, it holds no transaction and no slot. Each read uses a separate
    transaction.
    """

    def __init__(
        self,
        session: HospitalSession,
        caller: Caller,
        dependencies: Dependencies,
        slot: Slot | None = None,
    ) -> None:
        """`slot` is the slot of the request. `wait` releases it while it waits."""
        self._session = session
        self._caller = caller
        self._dependencies = dependencies
        self._long_poll = LongPoll(session.transaction, caller, dependencies, slot)

    def read(self, job_id: UUID) -> JobView:
        """Return the job in its current state.

        Raises NotFound if the job is unknown or belongs to another hospital. Raises CaseErased if
        the case was erased.
        """
        job = self._session.jobs.find(job_id)
        if job is None:
            raise NotFound(thing="job")
        withheld = self._withheld([job])
        self._record_reads([job], withheld)
        is_withheld = job.case_id in withheld
        return job_view(job, self._eta_s(job), is_withheld=is_withheld)

    async def wait(self, job_id: UUID, wait_s: float) -> JobView:
        """Return the job as soon as its state is final, but at the latest after `wait_s`.

        Raises TooManyWaits.
        """
        return await self._long_poll.read(
            job_id,
            partial(self.read, job_id),
            is_final=lambda job: job.state in FINAL_STATES,
            wait_s=wait_s,
        )

    async def follow(self, job_id: UUID) -> AsyncIterator[JobView]:
        """Yield the job each time it changes, until its state is final, its case is erased, the key
        or session ends, or `event_stream_max_s` is over.

        Each read uses a separate transaction, because the request's transaction is committed when
        the response begins.
        """
        settings = self._dependencies.settings
        deadline = time.monotonic() + settings.event_stream_max_s
        service = self._in_own_transactions()
        last: JobView | None = None
        while last is None or last.state not in FINAL_STATES:
            try:
                job = await retry_while_unavailable(
                    partial(service._read_again, job_id)
                )
            except (CaseErased, Unauthenticated):
                return
            if job != last:
                yield job
            last = job
            if time.monotonic() >= deadline:
                return
            if last.state not in FINAL_STATES:
                await self._dependencies.job_changes.wait_for_change(
                    job_id, settings.long_poll_max_s
                )

    def page(self, state: JobState | None, cursor: str | None, limit: int) -> JobPage:
        jobs = self._session.jobs.page(state, _position(cursor), limit + 1)
        page_jobs = jobs[:limit]
        withheld = self._withheld(page_jobs)
        self._record_reads(page_jobs, withheld)
        has_more = len(jobs) > limit
        return JobPage(
            jobs=[
                job_view(job, is_withheld=job.case_id in withheld) for job in page_jobs
            ],
            next_cursor=_cursor(page_jobs[-1]) if has_more else None,
        )

    def cancel(self, job_id: UUID) -> JobView:
        if not self._session.jobs.cancel(job_id):
            raise NotFound(thing="job")
        return self.read(job_id)

    def _in_own_transactions(self) -> "JobService":
        transaction = self._dependencies.ledger.transaction()
        session = HospitalSession(
            transaction, self._session.hospital_id, self._caller.actor
        )
        return JobService(session, self._caller, self._dependencies)

    def _read_again(self, job_id: UUID) -> JobView:
        """Read the job in a new transaction.

        Raises Unauthenticated if the key or session has ended.
        """
        return self._long_poll.read_again(partial(self.read, job_id))

    def _withheld(self, jobs: Sequence[Job]) -> set[UUID]:
        """Return the cases whose results are withheld from the caller."""
        cases = [job.case_id for job in jobs if job.result is not None]
        return self._session.reader_levels.withheld(self._caller.person, cases)

    def _record_reads(self, jobs: Sequence[Job], withheld: Set[UUID]) -> None:
        results = [
            (job.case_id, job.id)
            for job in jobs
            if job.result is not None and job.case_id not in withheld
        ]
        self._dependencies.read_audit.record_reads(
            session=self._session,
            caller=self._caller,
            event=Event.RESULT_READ,
            subjects=results,
        )

    def _eta_s(self, job: Job) -> float | None:
        if not job.position:
            return None
        jobs_per_s = self._dependencies.pace.jobs_per_s()
        return round(job.position / jobs_per_s, 1) if jobs_per_s else None


def etag(job: JobView) -> str:
    digest = hashlib.sha256(job.model_dump_json().encode()).hexdigest()
    return f'"{digest[:20]}"'


def _cursor(job: Job) -> str:
    position = f"{job.created_at.isoformat()} {job.id}"
    return base64.urlsafe_b64encode(position.encode()).decode()


def _position(cursor: str | None) -> tuple[datetime, UUID] | None:
    if cursor is None:
        return None
    try:
        created_at, job_id = base64.urlsafe_b64decode(cursor).decode().split(" ")
        return parse_moment(created_at), UUID(job_id)
    except (ValueError, binascii.Error) as error:
        raise CursorInvalid from error
