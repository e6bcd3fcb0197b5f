"""Predicts the effect of a hospital's settings with the live model, from the model's reference."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.api.hospitals.schemas import CutoffView, LiveView, Rate, ReferralView
from services.api.locales import sentence
from shared.ledger.hospitals.repository import Hospital
from shared.ledger.models.repository import Model
from shared.statistics import OperatingPoint, predictive_values, select_operating_point

CLASSES = ("benign", "malignant")
NOTES = {
    "note-unproven": "The live model was trained on {of} malignant images, too few to promise a "
    "sensitivity of "
    "{target:g}. Its cut-off is the lowest score that any of them had.",
    "note-no-reference": "The live model holds no cut-offs of its own: it goes by Youden's, and "
    "refers no case for "
    "being uncertain.",
    "note-no-model": "No model is live; the settings hold from the first one on.",
} | {
    f"note-too-few-{name}": f"The live model was calibrated on {{of}} {name} images. An error "
    f"level of {{alpha:g}} "
    f"needs at least {{needed}}; until then no case can be told to be not {name}, and most are "
    "referred."
    for name in CLASSES
}


@dataclass(frozen=True)
class Live:
    """The live model and its reference. `reference` is None if the model has none."""

    model: Model
    reference: Mapping[str, Any] | None


def expected(
    hospital: Hospital, prevalence: float, live: Live | None
) -> LiveView | None:
    """Return cut-off and referral, with the expected rates at this prevalence."""
    if live is None or live.reference is None:
        return None
    cutoff = _cutoff(hospital.target_sensitivity, prevalence, live.reference)
    referral = None
    if hospital.refer_alpha is not None:
        referral = _referral(hospital.refer_alpha, prevalence, live.reference)
    model = live.model
    return LiveView(
        model=f"{model.name}/{model.version}",
        digest=model.digest,
        cutoff=cutoff,
        referral=referral,
    )


def notes(hospital: Hospital, live: Live | None) -> list[str]:
    """Return caveats for the administrator who changes these settings."""
    if live is None:
        return [_note("note-no-model")]
    if live.reference is None:
        if hospital.target_sensitivity or hospital.refer_alpha:
            return [_note("note-no-reference")]
        return []
    unproven = _unproven_notes(hospital.target_sensitivity, live.reference)
    too_few = _too_few_notes(hospital.refer_alpha, live.reference)
    return unproven + too_few


def _note(code: str, **facts: object) -> str:
    """Return the note in the caller's language."""
    english = NOTES[code].format(**facts)
    return sentence(code, facts, english).text


def _cutoff(
    target: float | None, prevalence: float, reference: Mapping[str, Any]
) -> CutoffView:
    if target is None:
        values = reference["youden"]
        rule = "youden"
    else:
        point = _operating_point(target, reference)
        values = point.to_json()
        rule = point.rule
    sensitivity = values.get("sensitivity")
    specificity = values.get("specificity")
    ppv, npv = _predictive_values(sensitivity, specificity, prevalence)
    return CutoffView(
        rule=rule,
        cutoff=values["cutoff"],
        sensitivity=sensitivity and Rate(**sensitivity),
        specificity=specificity and Rate(**specificity),
        ppv=ppv,
        npv=npv,
    )


def _predictive_values(
    sensitivity: Mapping[str, Any] | None,
    specificity: Mapping[str, Any] | None,
    prevalence: float,
) -> tuple[float | None, float | None]:
    """Return positive and negative predictive value. A value is None if it is unknown."""
    if sensitivity is None or specificity is None:
        return None, None
    positive, negative = predictive_values(
        sensitivity["value"], specificity["value"], prevalence
    )
    return _nan_to_none(positive), _nan_to_none(negative)


def _nan_to_none(value: float) -> float | None:
    return None if math.isnan(value) else value


def _referral(
    alpha: float, prevalence: float, reference: Mapping[str, Any]
) -> ReferralView:
    """Return the expected referral at the error level nearest to `alpha`."""
    steps = reference["coverage"]
    nearest = min(steps, key=lambda step: abs(step["alpha"] - alpha))
    benign = nearest["benign"]
    malignant = nearest["malignant"]
    benign_rate = benign["refer"]["value"]
    malignant_rate = malignant["refer"]["value"]
    refer_rate = None
    if benign_rate is not None and malignant_rate is not None:
        refer_rate = prevalence * malignant_rate + (1 - prevalence) * benign_rate
    return ReferralView(
        alpha=nearest["alpha"],
        benign_coverage=benign["coverage"],
        malignant_coverage=malignant["coverage"],
        refer_rate=refer_rate,
    )


def _unproven_notes(target: float | None, reference: Mapping[str, Any]) -> list[str]:
    if target is None:
        return []
    point = _operating_point(target, reference)
    if point.promised:
        return []
    return [_note("note-unproven", of=point.sensitivity.total, target=point.target)]


def _too_few_notes(alpha: float | None, reference: Mapping[str, Any]) -> list[str]:
    """Return notes for classes with too few calibration cases.

    The p-value of a class with n calibration cases is at least 1 / (n + 1). If n is below 1 / alpha
    - 1, the class is in every set.
    """
    if alpha is None:
        return []
    min_cases = math.ceil(1 / alpha - 1 - 1e-9)
    class_notes = []
    for name in CLASSES:
        cases = reference["coverage"][0][name]["cases"]
        if cases < min_cases:
            class_notes.append(
                _note(f"note-too-few-{name}", of=cases, alpha=alpha, needed=min_cases)
            )
    return class_notes


def _operating_point(target: float, reference: Mapping[str, Any]) -> OperatingPoint:
    points = [
        OperatingPoint.from_json(stored) for stored in reference["operating_points"]
    ]
    return select_operating_point(points, target)
