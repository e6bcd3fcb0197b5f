"""From a prediction to the result of the contract, and to what monitoring keeps of it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from services.worker.decision import decide
from services.worker.preparation import Prepared
from services.worker.shelf import Served
from shared.guidelines import alternatives, recommend
from shared.imaging import Box, Finding
from shared.learning import Prediction
from shared.ledger.observations import Observation
from shared.ledger.queue import Claimed
from shared.settings import Settings
from shared.statistics import shift_prior

SMALL_MM = 10.0
TOO_SMALL = f"The nodule is under {SMALL_MM:g} mm; the published studies had none so small (K20)."
DIFFERS_SHARE, DIFFERS_MM = 0.2, 2.0
"""Readers measure the same nodule some 10 % apart; both must be exceeded before a reader is troubled."""
SIZE_DIFFERS = (
    "The size given is {typed:g} mm, but the nodule measures {measured:.1f} mm by the image's own scale. "
    "Check the size and the ROI: the FNA rule goes by the size."
)
DUPLICATE = (
    "The same image with the same size, ROI and frame was sent before, as the case {case}. If these are two patients, "
    "check which of them the image is of."
)
SYNTHETIC = "The model was trained on synthetic phantoms. Its answer means nothing for a patient."


@dataclass(frozen=True)
class Answer:
    """The `result` of a job, ready to be kept as JSON, and its observation."""

    body: dict[str, Any]
    observation: Observation


def answer(
    served: Served, prepared: Prepared, prediction: Prediction, settings: Settings, infer_ms: float
) -> Answer:
    body = result(served, prepared, prediction, settings, infer_ms)
    return Answer(body, observation(prepared.job, prediction, body))


def result(
    served: Served, prepared: Prepared, prediction: Prediction, settings: Settings, infer_ms: float
) -> dict[str, Any]:
    """The `result` of a job under its hospital's settings."""
    job, trained_at = prepared.job, served.bundle.prevalence
    prevalence = job.prevalence or settings.prevalence
    risk = float(shift_prior(prediction.risk, trained_at, prevalence))
    decision = decide(served.bundle, job, prediction)
    return {
        "score": prediction.score,
        "risk": risk,
        "decision": decision.verdict,
        "cutoff": decision.cutoff,
        "cutoff_rule": decision.cutoff_rule,
        "cutoff_risk": risk_of(served, decision.cutoff, prevalence),
        "conformal": decision.conformal.to_json() if decision.conformal else None,
        "prevalence": prevalence,
        "fna": fna(risk, job.size_mm, job.fna_rule or settings.fna_rule),
        "readers": [asdict(reader) for reader in prediction.readers],
        "roi": roi_found(prepared.nodule.found),
        "warnings": warnings(served, prepared, (*prediction.findings, *decision.findings)),
        "model": {"name": served.name, "version": served.version, "digest": served.digest},
        "timings_ms": _rounded(waited=job.waited_ms, prepare=prepared.prepare_ms, infer=infer_ms),
    }


def observation(job: Claimed, prediction: Prediction, body: dict[str, Any]) -> Observation:
    """What monitoring keeps: as the result says it, the risk at the hospital's prevalence."""
    return Observation(
        job_id=job.id,
        case_id=job.case_id,
        hospital_id=job.hospital_id,
        model_digest=body["model"]["digest"],
        device=job.device,
        **{name: body[name] for name in ("score", "risk", "decision", "cutoff")},
        strangeness=prediction.strangeness,
        embedding=prediction.embedding,
        benign_p=prediction.benign_p,
        malignant_p=prediction.malignant_p,
        warnings=tuple(warning["code"] for warning in body["warnings"]),
    )


def risk_of(served: Served, score: float, prevalence: float) -> float:
    """The risk at which a nodule of this score stands, at a hospital's prevalence."""
    calibrated = float(served.bundle.model.calibration.apply(score))
    return float(shift_prior(calibrated, served.bundle.prevalence, prevalence))


def roi_found(box: Box | None) -> dict[str, Any] | None:
    """The ROI that was read where the case gave none, to be checked by who sees the result."""
    if box is None:
        return None
    return {"box": [box.x, box.y, box.width, box.height], "source": "calipers"}


def fna(risk: float, size_mm: float, rule: str) -> dict[str, Any]:
    """The advice under the hospital's rule, what the other guidelines say beside it."""
    others = [other.to_json() for other in alternatives(risk, size_mm, besides=rule)]
    return recommend(risk, size_mm, rule).to_json() | {"alternatives": others}


def warnings(
    served: Served, prepared: Prepared, findings: Sequence[Finding]
) -> list[dict[str, str]]:
    """What is known of the image, what the model and the decision found, then what the case and the model tell."""
    told = {finding.code: finding.message for finding in (*prepared.nodule.findings, *findings)}
    if prepared.job.size_mm < SMALL_MM:
        told["under-10-mm"] = TOO_SMALL
    if size_differs(prepared.job.size_mm, prepared.nodule.measured_mm):
        measured = {"typed": prepared.job.size_mm, "measured": prepared.nodule.measured_mm}
        told["size-differs"] = SIZE_DIFFERS.format(**measured)
    if prepared.job.duplicate_of:
        told["duplicate"] = DUPLICATE.format(case=prepared.job.duplicate_of)
    if served.bundle.manifest.synthetic:
        told["synthetic-model"] = SYNTHETIC
    return [{"code": code, "message": message} for code, message in told.items()]


def size_differs(typed_mm: float, measured_mm: float | None) -> bool:
    """Whether the typed size and the image's own are too far apart to be one nodule's; False where it has no scale."""
    if measured_mm is None:
        return False
    apart = abs(typed_mm - measured_mm)
    return apart > DIFFERS_MM and apart > DIFFERS_SHARE * typed_mm


def _rounded(**milliseconds: float) -> dict[str, float]:
    """From acceptance to claim, of this image's preparation, of its whole batch's inference."""
    return {stage: round(taken, 1) for stage, taken in milliseconds.items()}
