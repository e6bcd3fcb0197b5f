"""What the gate found, in the language of the page: by each reason's code, from the figures that are kept with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.api.languages import Language, sentence
from services.api.models.schemas import GateView
from shared.ledger.gates import Gate

KEPT = "judged-"
"""Before a reason's code, as its sentence is kept."""


@dataclass(frozen=True)
class Said:
    weight: str
    sentence: str
    language: Language


def reasons(gate: GateView, language: Language) -> list[Said]:
    """Each in this language; in the English of its judgement where its figures were not kept."""
    facts, below = _facts(gate), iter(_sites_below(gate))
    told = []
    for each in gate.reasons:
        own = next(below, {}) if each.code == "site-below-floor" else {}
        told.append(
            Said(each.weight, *sentence(KEPT + each.code, facts | own, each.sentence, language))
        )
    return told


def objected(
    gate: Gate | None, live: str | None, english: str, language: Language
) -> tuple[str, Language]:
    """Why the gate does not speak for a promotion, short: what it found stands on the page already."""
    if gate is None:
        return sentence("objection-unjudged", {}, english, language)
    facts = {"before": (gate.live_digest or "–")[:12], "live": (live or "–")[:12]}
    return sentence(f"objection-{gate.verdict.value}", facts, english, language)


def _facts(gate: GateView) -> dict[str, Any]:
    """By the names that the sentences have for them; those that the figures hold."""
    figures, policy = gate.figures, gate.policy
    ours, theirs = figures.get("candidate") or {}, figures.get("live") or {}
    parts: Sequence[tuple[str, Mapping[str, Any] | None, Sequence[str]]] = (
        ("", figures, ("images", "malignant", "benign")),
        ("", ours, ("unread",)),
        ("auc", ours.get("auc"), ("value",)),
        ("live", theirs.get("auc"), ("value",)),
        ("apart", figures.get("comparison"), ("difference", "level", "low", "high", "p_value")),
        ("sensitivity", ours.get("sensitivity"), ("value", "low", "high", "found", "of")),
        ("calibration", ours.get("calibration"), ("error", "by_chance", "p_value")),
        (
            "asked",
            policy,
            ("margin", "sensitivity_floor", "calibration_limit", "least_of_each_class"),
        ),
    )
    return {
        f"{part}_{name}" if part else name: told[name]
        for part, told, names in parts
        for name in names
        if told and told.get(name) is not None
    }


def _sites_below(gate: GateView) -> list[dict[str, Any]]:
    """Those that the gate names, in its order."""
    floor, rows = gate.policy.get("sensitivity_floor"), gate.figures.get("sites") or []
    rates = [(row["site"], row["sensitivity"]) for row in rows if floor is not None]
    below = [(site, rate) for site, rate in rates if rate["of"] and rate["high"] < floor]
    return [
        {"site": site, "site_found": rate["found"], "site_of": rate["of"]} for site, rate in below
    ]
