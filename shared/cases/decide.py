"""Turns a score into a decision under a hospital's settings, without loading the model."""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.domain.results.findings import Fact, Finding
from shared.domain.results.prediction import Verdict
from shared.domain.results.result import YOUDEN, Conformal
from shared.statistics import OperatingPoint, select_operating_point

UNCERTAIN = "uncertain"
BOTH_CLASSES = (
    "At this hospital's error level of {per_cent:g} % the nodule may be benign or malignant: the "
    "image does not settle it. Have a radiologist decide; do not go by the risk alone."
)
NO_CLASS = (
    "At this hospital's error level of {per_cent:g} % the nodule looks like neither the benign nor "
    "the malignant nodules that the model has learnt from. Have a radiologist decide; do not go by "
    "the risk alone."
)
SETTING_UNMET = "setting-unmet"
UNMET_TEXT = (
    "The model in use is too old for this hospital's choice of {setting}, so it was not applied. "
    "Ask the operator for a newer model, or take the choice back."
)
SETTING_NAMES = {
    "target_sensitivity": "sensitivity",
    "refer_alpha": "referring uncertain cases",
}
"""Names, in messages, of the settings that need a model with cut-offs and calibration data."""


@dataclass(frozen=True, kw_only=True)
class DecisionFacts:
    """The inputs of a decision.

    Attributes
    ----------
    score : the model's fused score, 0 to 1
    unlike_training : whether the image differs too much from the training images
    youden_cutoff : the model's own cut-off
    operating_points : the model's cut-offs for target sensitivities; None if it has none
    benign_p, malignant_p : conformal p-values of the classes; None from a model that has none
    target_sensitivity : the hospital's choice, 0 to 1; None for Youden's cut-off
    refer_alpha : the hospital's error level, 0 to 1; None if uncertain cases are not referred
    """

    score: float
    unlike_training: bool
    youden_cutoff: float
    operating_points: Sequence[OperatingPoint] | None
    benign_p: float | None
    malignant_p: float | None
    target_sensitivity: float | None
    refer_alpha: float | None


@dataclass(frozen=True, kw_only=True)
class Decision:
    """`cutoff_rule` names the rule that chose the cut-off. `findings` explain the decision."""

    verdict: Verdict
    cutoff: float
    cutoff_rule: str
    conformal: Conformal | None
    findings: tuple[Finding, ...]


def decide(facts: DecisionFacts) -> Decision:
    """Apply the hospital's cut-off, unless the case is referred.

    A case is referred if its image differs too much from the training images, or if the conformal
    set is uncertain.
    """
    cutoff, rule = choose_cutoff(facts)
    conformal = conformal_set(facts)
    uncertain = conformal is not None and not conformal.certain
    if facts.unlike_training or uncertain:
        verdict = Verdict.REFER
    elif facts.score >= cutoff:
        verdict = Verdict.MALIGNANT
    else:
        verdict = Verdict.BENIGN
    return Decision(
        verdict=verdict,
        cutoff=cutoff,
        cutoff_rule=rule,
        conformal=conformal,
        findings=_findings(facts, conformal),
    )


def choose_cutoff(facts: DecisionFacts) -> tuple[float, str]:
    """Return the cut-off for the target sensitivity, with the name of the rule.

    Youden's cut-off applies without a target sensitivity, or if the model has no other cut-offs.
    """
    if facts.target_sensitivity is None or facts.operating_points is None:
        return facts.youden_cutoff, YOUDEN
    point = select_operating_point(facts.operating_points, facts.target_sensitivity)
    return point.cutoff, point.rule


def conformal_set(facts: DecisionFacts) -> Conformal | None:
    """The classes that fit at the hospital's error level.

    None if the hospital has no limit, or the model computes no p-values.
    """
    alpha = facts.refer_alpha
    if alpha is None or facts.benign_p is None or facts.malignant_p is None:
        return None
    p_values = {Verdict.BENIGN: facts.benign_p, Verdict.MALIGNANT: facts.malignant_p}
    return Conformal(
        alpha=alpha,
        set=tuple(verdict for verdict, p_value in p_values.items() if p_value > alpha),
        benign_p=facts.benign_p,
        malignant_p=facts.malignant_p,
    )


def uncertain_finding(conformal: Conformal) -> Finding:
    """The reason for referring a case whose set has both classes or none."""
    per_cent = 100 * conformal.alpha
    sentence = BOTH_CLASSES if conformal.set else NO_CLASS
    return Finding(
        UNCERTAIN, sentence.format(per_cent=per_cent), {"per_cent": per_cent}
    )


def _findings(facts: DecisionFacts, conformal: Conformal | None) -> tuple[Finding, ...]:
    findings: list[Finding] = []
    if conformal and not conformal.certain:
        findings.append(uncertain_finding(conformal))
    choices = {
        "target_sensitivity": facts.target_sensitivity,
        "refer_alpha": facts.refer_alpha,
    }
    unmet: dict[str, Fact] = {
        name: value for name, value in choices.items() if value is not None
    }
    if unmet and facts.operating_points is None:
        setting = " and ".join(SETTING_NAMES[name] for name in unmet)
        findings.append(
            Finding(SETTING_UNMET, UNMET_TEXT.format(setting=setting), unmet)
        )
    return tuple(findings)
