"""From a lease of jobs to a batch of nodules: fetch and prepare, side by side. A bad image fails alone."""

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
from shared.domain.image_source import ImageSource
from shared.domain.jobs import Reason
from shared.errors import SeraError, Unavailable
from shared.imaging import Framing, Nodule, Roi
from shared.imaging.sandbox.bounds import Bounds
from shared.imaging.sandbox.pool import SandboxPool
from shared.ledger.jobs.queue import ClaimedJob, Failure, Lease
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
    """A lease sorted out, for the model that served when it was taken.

    Holds what can be inferred, what failed and why, and what an absent engine kept from being tried.
    """

    lease: Lease
    served: ServedModel
    claimed_at: float = field(default_factory=time.monotonic)
    timings_by_job: dict[UUID, Sequence[Timing]] = field(default_factory=dict)
    """The stages that each job's image went through."""
    prepared_jobs: list[PreparedJob] = field(default_factory=list)
    failures: dict[UUID, Failure] = field(default_factory=dict)
    unreached_jobs: list[UUID] = field(default_factory=list)

    @property
    def token(self) -> UUID:
        return self.lease.token

    @property
    def is_suspect(self) -> bool:
        """Whether its job outlived a worker, and may end this one."""
        return self.lease.suspect

    @property
    def job_ids(self) -> list[UUID]:
        return [prepared.job.id for prepared in self.prepared_jobs] + [
            *self.failures,
            *self.unreached_jobs,
        ]


def internal_failure(job: UUID, error: Exception) -> Failure:
    """The failure of a job that met a fault of SERA's own."""
    log().error("job.broke", job=str(job), exc_info=error)
    return Failure(Reason.INTERNAL, {"job": str(job)})


def open_decoders(settings: Settings, count: int) -> SandboxPool:
    """Start so many; this does not wait for them."""
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

    def prepare(self, lease: Lease, served: ServedModel, report_progress: Callable[[], None]) -> Batch:
        """Fetch, decode and crop all images of a lease side by side, as the model wants them; tells of each."""
        batch = Batch(lease, served)
        one = partial(self._one, framing=served.bundle.framing)
        for job, (outcome, laps) in zip(
            lease.jobs, self._pool.map(one, lease.jobs), strict=True
        ):
            report_progress()
            batch.timings_by_job[job.id] = laps
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
            decoder=self._decoders.decode,
        )

    def _one(
        self, job: ClaimedJob, framing: Framing
    ) -> tuple[PreparedJob | Failure | None, Sequence[Timing]]:
        """What came of it, and its stages; what is logged meanwhile, by whatever part, names the job."""
        whose = {
            "job": str(job.id),
            "case": str(job.case_id),
            "hospital": str(job.hospital_id),
        }
        with bound_contextvars(**whose), collect_timings() as laps:
            return self._tried(job, framing), laps

    def _tried(self, job: ClaimedJob, framing: Framing) -> PreparedJob | Failure | None:
        began = time.perf_counter()
        try:
            nodule = self.nodule(
                job.image_sha256, job.roi, job.frame, framing, job.source
            )
        except Unavailable:
            return None
        except SeraError as error:
            return Failure(error.code, error.facts)
        except Exception as error:  # noqa: BLE001 (one image's fault must not take its batch-mates along)
            return internal_failure(job.id, error)
        return PreparedJob(job, nodule, (time.perf_counter() - began) * 1000)
