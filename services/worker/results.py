"""From a prediction to the result of the contract."""

from dataclasses import asdict
from typing import Any

from services.worker.preparation import Prepared
from services.worker.shelf import Served
from shared.guidelines import alternatives, recommend
from shared.learning import Prediction
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
SYNTHETIC = "The model was trained on synthetic phantoms. Its answer means nothing for a patient."


def result(
    served: Served, prepared: Prepared, prediction: Prediction, settings: Settings, infer_ms: float
) -> dict[str, Any]:
    """The `result` of a job, ready to be kept as JSON."""
    job, trained_at = prepared.job, served.bundle.prevalence
    prevalence = job.prevalence or settings.prevalence
    risk = float(shift_prior(prediction.risk, trained_at, prevalence))
    return {
        "score": prediction.score,
        "risk": risk,
        "decision": prediction.decision,
        "cutoff": prediction.cutoff,
        "prevalence": prevalence,
        "fna": fna(risk, job.size_mm, job.fna_rule or settings.fna_rule),
        "readers": [asdict(reader) for reader in prediction.readers],
        "warnings": warnings(served, prepared, prediction),
        "model": {"name": served.name, "version": served.version, "digest": served.digest},
        "timings_ms": _rounded(waited=job.waited_ms, prepare=prepared.prepare_ms, infer=infer_ms),
    }


def fna(risk: float, size_mm: float, rule: str) -> dict[str, Any]:
    """The advice under the hospital's rule, what the other guidelines say beside it."""
    others = [other.to_json() for other in alternatives(risk, size_mm, besides=rule)]
    return recommend(risk, size_mm, rule).to_json() | {"alternatives": others}


def warnings(served: Served, prepared: Prepared, prediction: Prediction) -> list[dict[str, str]]:
    told = {finding.code: finding.message for finding in (*prepared.nodule.findings, *prediction.findings)}
    if prepared.job.size_mm < SMALL_MM:
        told["under-10-mm"] = TOO_SMALL
    if size_differs(prepared.job.size_mm, prepared.nodule.measured_mm):
        measured = {"typed": prepared.job.size_mm, "measured": prepared.nodule.measured_mm}
        told["size-differs"] = SIZE_DIFFERS.format(**measured)
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
