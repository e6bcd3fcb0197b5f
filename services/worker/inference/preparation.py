"""Prepares a batch of nodules from a lease of jobs: images are fetched, decoded and cropped in
parallel. A bad image does not affect the other images.
"""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import UUID

from structlog.contextvars import bound_contextvars

from services.worker.bundle_cache import ServedModel
from shared.cases.prepare import prepare
from shared.domain.burnt_in_text import TextPolicy
from shared.domain.image_source import ImageSource
from shared.domain.jobs import Reason
from shared.errors import SeraError, Unavailable
from shared.imaging import Framing, Nodule, Roi
from shared.imaging.sandbox.bounds import Bounds
from shared.imaging.sandbox.pool import SandboxPool
from shared.ledger.hospitals.text_policy import text_policy
from shared.ledger.jobs.lease import ClaimedJob, Failure, Lease
from shared.objects import ObjectStore
from shared.observability.logs import log
from shared.observability.timings import Timing, collect_timings, measure
from shared.settings import Settings


@dataclass(frozen=True)
class PreparedJob:
    job: ClaimedJob
    nodule: Nodule
    prepare_ms: float


@dataclass
class Batch:
    """The jobs of a lease, sorted by the outcome of their preparation.

    `served` is the model that served when the lease was claimed. `unreached_jobs` could not be
    tried because an engine was unavailable.
    """

    lease: Lease
    served: ServedModel
    claimed_at: float = field(default_factory=time.monotonic)
    timings_by_job: dict[UUID, Sequence[Timing]] = field(default_factory=dict)
    """The stages of each job's image."""
    prepared_jobs: list[PreparedJob] = field(default_factory=list)
    failures: dict[UUID, Failure] = field(default_factory=dict)
    unreached_jobs: list[UUID] = field(default_factory=list)

    @property
    def token(self) -> UUID:
        return self.lease.token

    @property
    def is_suspect(self) -> bool:
        """Whether an earlier worker was lost while it processed this job, so that the job may end
        this worker too.
        """
        return self.lease.suspect

    @property
    def job_ids(self) -> list[UUID]:
        prepared = [prepared.job.id for prepared in self.prepared_jobs]
        return [*prepared, *self.failures, *self.unreached_jobs]


def internal_failure(job: UUID, error: Exception) -> Failure:
    """Return the failure of a job because of an error in SERA itself."""
    log().error("job.broke", job=str(job), exc_info=error)
    return Failure(reason=Reason.INTERNAL, facts={"job": str(job)})


def job_log_fields(job: ClaimedJob) -> dict[str, str]:
    """Return the ids that log lines and traces of a job contain."""
    return {
        "job": str(job.id),
        "case": str(job.case_id),
        "hospital": str(job.hospital_id),
    }


def open_decoders(settings: Settings, count: int) -> SandboxPool:
    """Start `count` decoder processes without waiting for them."""
    bounds = Bounds(seconds=settings.decode_s, memory_mib=settings.decode_mib)
    decoders = SandboxPool(bounds, count)
    decoders.start()
    return decoders


class Preparation:
    def __init__(
        self, objects: ObjectStore, decoders: SandboxPool, threads: int = 4
    ) -> None:
        self._objects = objects
        self._decoders = decoders
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="prepare")

    def prepare(
        self, lease: Lease, served: ServedModel, report_progress: Callable[[], None]
    ) -> Batch:
        """Fetch, decode and crop all images of a lease in parallel, as the model requires.

        `report_progress` is called after each image.
        """
        batch = Batch(lease=lease, served=served)
        prepare_job = partial(self._prepare_timed, framing=served.bundle.framing)
        outcomes = self._pool.map(prepare_job, lease.jobs)
        for job, (outcome, timings) in zip(lease.jobs, outcomes, strict=True):
            report_progress()
            batch.timings_by_job[job.id] = timings
            match outcome:
                case PreparedJob():
                    batch.prepared_jobs.append(outcome)
                case Failure():
                    batch.failures[job.id] = outcome
                case None:
                    batch.unreached_jobs.append(job.id)
        return batch

    def nodule(
        self,
        image_sha256: str,
        roi: dict[str, Any] | None,
        frame: int | None,
        framing: Framing,
        source: str = ImageSource.FILE,
        find_text: bool = True,
    ) -> Nodule:
        """Fetch, decode and crop one image, or one frame of a loop."""
        with measure("fetch"):
            data = self._objects.get(image_sha256)
        return prepare(
            data,
            framing,
            roi=Roi.parse(roi) if roi else None,
            frame=frame,
            source=source,
            find_text=find_text,
            decoder=self._decoders.decode,
        )

    def _prepare_timed(
        self, job: ClaimedJob, framing: Framing
    ) -> tuple[PreparedJob | Failure | None, Sequence[Timing]]:
        """Return the outcome and the timings of its stages. Every log line of the preparation
        contains the job's ids.
        """
        with bound_contextvars(**job_log_fields(job)), collect_timings() as timings:
            return self._prepare(job, framing), timings

    def _prepare(
        self, job: ClaimedJob, framing: Framing
    ) -> PreparedJob | Failure | None:
        """Prepare one job. Returns None if an engine was unavailable."""
        began = time.perf_counter()
        try:
            nodule = self.nodule(
                image_sha256=job.image_sha256,
                roi=job.roi,
                frame=job.frame,
                framing=framing,
                source=job.source,
                find_text=text_policy(job.blank_text) is not TextPolicy.OFF,
            )
        except Unavailable:
            return None
        except SeraError as error:
            return Failure(reason=error.code, facts=error.facts)
        except Exception as error:  # noqa: BLE001 (a bad image must not fail the rest of the batch)
            return internal_failure(job.id, error)
        prepare_ms = (time.perf_counter() - began) * 1000
        return PreparedJob(job=job, nodule=nodule, prepare_ms=prepare_ms)
