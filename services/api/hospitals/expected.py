"""What a hospital's settings come to with the live model, from the model's reference."""

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
    "note-unproven": "The live model was trained on {of} malignant images, too few to promise a sensitivity of "
    "{target:g}. Its cut-off is the lowest score that any of them had.",
    "note-no-reference": "The live model holds no cut-offs of its own: it goes by Youden's, and refers no case for "
    "being uncertain.",
    "note-no-model": "No model is live; the settings hold from the first one on.",
} | {
    f"note-too-few-{name}": f"The live model was calibrated on {{of}} {name} images. An error level of {{alpha:g}} "
    f"needs at least {{needed}}; until then no case can be told to be not {name}, and most are referred."
    for name in CLASSES
}


@dataclass(frozen=True)
class Live:
    """The live model with its reference; None where it holds none."""

    model: Model
    reference: Mapping[str, Any] | None


def expected(
    hospital: Hospital, prevalence: float, live: Live | None
) -> LiveView | None:
    """Cut-off and referral, with the rates to expect at this prevalence."""
    if live is None or live.reference is None:
        return None
    cutoff = _cutoff(hospital.target_sensitivity, prevalence, live.reference)
    referral = (
        None
        if hospital.refer_alpha is None
        else _referral(hospital.refer_alpha, prevalence, live.reference)
    )
    model = live.model
    return LiveView(
        model=f"{model.name}/{model.version}",
        digest=model.digest,
        cutoff=cutoff,
        referral=referral,
    )


def notes(hospital: Hospital, live: Live | None) -> list[str]:
    """Sentences for whoever sets this."""
    if live is None:
        return [_note("note-no-model")]
    if live.reference is None:
        return (
            [_note("note-no-reference")]
            if hospital.target_sensitivity or hospital.refer_alpha
            else []
        )
    return _unproven(hospital.target_sensitivity, live.reference) + _too_few(
        hospital.refer_alpha, live.reference
    )


def _note(code: str, **facts: object) -> str:
    """In the caller's language."""
    return sentence(code, facts, NOTES[code].format(**facts))[0]


def _cutoff(
    target: float | None, prevalence: float, reference: Mapping[str, Any]
) -> CutoffView:
    if target is None:
        held = reference["youden"]
        rule = "youden"
    else:
        point = _point(target, reference)
        held = point.to_json()
        rule = point.rule
    rates = held.get("sensitivity"), held.get("specificity")
    ppv, npv = _predictive(rates, prevalence)
    told = {
        name: rate and Rate(**rate)
        for name, rate in zip(("sensitivity", "specificity"), rates, strict=True)
    }
    return CutoffView(rule=rule, cutoff=held["cutoff"], ppv=ppv, npv=npv, **told)


def _predictive(
    rates: tuple[Any, Any], prevalence: float
) -> tuple[float | None, float | None]:
    if None in rates:
        return None, None
    positive, negative = predictive_values(
        rates[0]["value"], rates[1]["value"], prevalence
    )
    return _known(positive), _known(negative)


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _referral(
    alpha: float, prevalence: float, reference: Mapping[str, Any]
) -> ReferralView:
    found = min(reference["coverage"], key=lambda each: abs(each["alpha"] - alpha))
    benign = found["benign"]
    malignant = found["malignant"]
    rates = malignant["refer"]["value"], benign["refer"]["value"]
    expected_rate = (
        None if None in rates else prevalence * rates[0] + (1 - prevalence) * rates[1]
    )
    coverage = {
        "benign_coverage": benign["coverage"],
        "malignant_coverage": malignant["coverage"],
    }
    return ReferralView(alpha=found["alpha"], refer_rate=expected_rate, **coverage)


def _unproven(target: float | None, reference: Mapping[str, Any]) -> list[str]:
    point = None if target is None else _point(target, reference)
    if point is None or point.promised:
        return []
    return [_note("note-unproven", of=point.sensitivity.total, target=point.target)]


def _too_few(alpha: float | None, reference: Mapping[str, Any]) -> list[str]:
    """A p-value is at least 1 / (n + 1), so fewer cases than 1 / alpha - 1 leave the class in every set."""
    if alpha is None:
        return []
    needed = math.ceil(1 / alpha - 1 - 1e-9)
    counts = {name: reference["coverage"][0][name]["cases"] for name in CLASSES}
    few = {name: count for name, count in counts.items() if count < needed}
    return [
        _note(f"note-too-few-{name}", of=count, alpha=alpha, needed=needed)
        for name, count in few.items()
    ]


def _point(target: float, reference: Mapping[str, Any]) -> OperatingPoint:
    return select_operating_point(
        [OperatingPoint.from_json(told) for told in reference["operating_points"]],
        target,
    )
