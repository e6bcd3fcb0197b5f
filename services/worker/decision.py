"""From a prediction to a decision under the hospital's own settings."""

from dataclasses import dataclass
from typing import Any

from shared.bundles import Bundle
from shared.imaging import Finding
from shared.learning import Prediction, Verdict
from shared.ledger.queue import Claimed
from shared.statistics import point_for

YOUDEN = "youden"
UNCERTAIN = "uncertain"
BOTH = (
    "At this hospital's error limit of {per_cent:g} % the nodule may be benign or malignant: the image does not settle "
    "it. Have a radiologist decide; do not go by the risk alone."
)
NEITHER = (
    "At this hospital's error limit of {per_cent:g} % the nodule looks like neither the benign nor the malignant "
    "nodules that the model has learnt from. Have a radiologist decide; do not go by the risk alone."
)
UNMET = Finding(
    "setting-unmet",
    "The model in use is too old for this hospital's choice of {setting}, so it was not applied. Ask the operator for "
    "a newer model, or take the choice back.",
)
SENSITIVITY, REFERRAL = "sensitivity", "referring uncertain cases"


@dataclass(frozen=True)
class Conformal:
    """The classes that fit the image at an error of `alpha`, and how well both do."""

    alpha: float
    classes: tuple[str, ...]
    benign_p: float
    malignant_p: float

    @property
    def certain(self) -> bool:
        return len(self.classes) == 1

    @property
    def finding(self) -> Finding:
        return Finding(
            UNCERTAIN, (BOTH if self.classes else NEITHER).format(per_cent=100 * self.alpha)
        )

    def to_json(self) -> dict[str, Any]:
        p_values = {"benign_p": self.benign_p, "malignant_p": self.malignant_p}
        return {"alpha": self.alpha, "set": list(self.classes), **p_values}


@dataclass(frozen=True)
class Decision:
    """`cutoff_rule` names what chose the cut-off; `findings` are what the reader has to be told of the decision."""

    verdict: Verdict
    cutoff: float
    cutoff_rule: str
    conformal: Conformal | None
    findings: tuple[Finding, ...]


def decide(bundle: Bundle, job: Claimed, prediction: Prediction) -> Decision:
    """The hospital's cut-off, then what overrules it: an image that is strange, or one that cannot be told."""
    cutoff, rule = cutoff_of(bundle, job.target_sensitivity)
    conformal = conformal_of(prediction, job.refer_alpha)
    called = Verdict.MALIGNANT if prediction.score >= cutoff else Verdict.BENIGN
    refer = prediction.decision is Verdict.REFER or (
        conformal is not None and not conformal.certain
    )
    findings = tuple(_findings(bundle, job, conformal))
    return Decision(Verdict.REFER if refer else called, cutoff, rule, conformal, findings)


def cutoff_of(bundle: Bundle, target: float | None) -> tuple[float, str]:
    """The cut-off for a target sensitivity, and the rule's name; Youden's without one, or where the bundle has none."""
    if target is None or bundle.model.evidence is None:
        return bundle.model.cutoff, YOUDEN
    point = point_for(bundle.model.evidence.operating_points, target)
    return point.cutoff, point.rule


def conformal_of(prediction: Prediction, alpha: float | None) -> Conformal | None:
    """The set at this error level; None where it is off or the bundle cannot tell."""
    if alpha is None or prediction.benign_p is None or prediction.malignant_p is None:
        return None
    p_values = {Verdict.BENIGN: prediction.benign_p, Verdict.MALIGNANT: prediction.malignant_p}
    return Conformal(
        alpha, tuple(name for name, p in p_values.items() if p > alpha), *p_values.values()
    )


def _findings(bundle: Bundle, job: Claimed, conformal: Conformal | None) -> list[Finding]:
    told = [conformal.finding] if conformal and not conformal.certain else []
    asked = [(SENSITIVITY, job.target_sensitivity), (REFERRAL, job.refer_alpha)]
    unmet = [name for name, value in asked if value is not None and bundle.model.evidence is None]
    if unmet:
        told.append(Finding(UNMET.code, UNMET.message.format(setting=" and ".join(unmet))))
    return told
