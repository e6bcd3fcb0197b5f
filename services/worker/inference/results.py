"""Converts a prediction to the result of a claimed job and to its observation for monitoring."""

from dataclasses import dataclass

from services.worker.bundle_cache import ServedModel
from services.worker.inference.preparation import PreparedJob
from shared.cases.model import model_facts
from shared.cases.result import CaseFacts, HospitalSettings, make_result
from shared.domain.results.findings import Finding
from shared.domain.results.prediction import Prediction
from shared.domain.results.result import Result, Timings
from shared.ledger.jobs.lease import ClaimedJob
from shared.ledger.monitoring.observations import Observation
from shared.settings import Settings


@dataclass(frozen=True)
class JobResult:
    """The result of a job and its observation."""

    result: Result
    observation: Observation


def make_job_result(
    served: ServedModel,
    prepared: PreparedJob,
    prediction: Prediction,
    settings: Settings,
    infer_ms: float,
) -> JobResult:
    """Build the result and the observation of a job. `infer_ms` is the inference time of the whole
    batch.
    """
    job = prepared.job
    duplicate_of = str(job.duplicate_of) if job.duplicate_of else None
    result = make_result(
        prediction,
        case=CaseFacts.from_nodule(
            prepared.nodule,
            size_mm=job.size_mm,
            intake_findings=tuple(Finding.from_json(body) for body in job.findings),
            duplicate_of=duplicate_of,
        ),
        settings=hospital_settings(job, settings),
        model=model_facts(
            served.bundle,
            name=served.name,
            version=served.version,
            standing=served.standing,
        ),
        timings=Timings(
            waited=round(job.waited_ms, 1),
            prepare=round(prepared.prepare_ms, 1),
            infer=round(infer_ms, 1),
        ),
    )
    return JobResult(
        result=result, observation=make_observation(job, prediction, result)
    )


def hospital_settings(job: ClaimedJob, settings: Settings) -> HospitalSettings:
    """Return the hospital's own settings. The installation's defaults replace missing settings."""
    return HospitalSettings(
        prevalence=job.prevalence or settings.prevalence,
        fna_rule=job.fna_rule or settings.fna_rule,
        target_sensitivity=job.target_sensitivity,
        refer_alpha=job.refer_alpha,
        prevalence_assumed=not job.prevalence,
    )


def make_observation(
    job: ClaimedJob, prediction: Prediction, result: Result
) -> Observation:
    """Build the observation for monitoring. Its risk is the result's risk, at the hospital's
    prevalence.
    """
    return Observation(
        job_id=job.id,
        case_id=job.case_id,
        hospital_id=job.hospital_id,
        model_digest=result.model.digest,
        device=job.device,
        score=result.score,
        risk=result.risk,
        decision=result.decision,
        cutoff=result.cutoff,
        strangeness=prediction.strangeness,
        embedding=prediction.embedding,
        benign_p=prediction.benign_p,
        malignant_p=prediction.malignant_p,
        warnings=tuple(warning.code for warning in result.warnings),
    )
