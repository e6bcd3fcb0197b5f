"""What a result says, in the language of who reads it. Built from the result's fields, never from its English text."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from services.api.languages import Language
from services.api.web.languages import SPOKEN
from shared.guidelines import CHOICES

Say = Callable[..., str]
"""A word or sentence by its key, with what is to be filled in; KeyError for a key that there is not."""
FIGURE = re.compile(r"\d+(?:\.\d+)?")
TARGET = re.compile(r"sensitivity>=(?P<share>[\d.]+)")
RISK_BAND = re.compile(r"risk-band/(?P<guideline>.+)/(?P<version>\d+)")
ADVICE = {"due": "yes", "not-due": "no", "consider": "consider", "undecided": "undecided"}


def speaker(language: Language) -> Say:
    """Says the words of the pages."""
    words = SPOKEN[language]
    return lambda key, /, **facts: words(key).format(**facts)


def percent(share: float) -> str:
    """Three figures, as the guidelines' own sentences have it: `4.27 %`, `42 %`."""
    return f"{100 * share:.3g} %"


def plain(number: float) -> str:
    """One decimal, or as many as the number has: 9.96 mm is not shown as 10.0."""
    return f"{number:.1f}" if round(number, 1) == number else f"{number:.15g}"


def decision(say: Say, result: Mapping[str, Any]) -> str:
    return say(f"result.decision.{result['decision']}")


def decision_says(say: Say, result: Mapping[str, Any]) -> str:
    return say(f"result.decision-says.{result['decision']}")


def cutoff_says(say: Say, result: Mapping[str, Any]) -> str:
    target = TARGET.fullmatch(result.get("cutoff_rule") or "")
    by = say("result.cutoff.sensitivity", share=percent(float(target["share"]))) if target else None
    told = {"score": f"{result['score']:.2f}", "cutoff": f"{result['cutoff']:.2f}"}
    return say("result.cutoff.says", rule=by or say("result.cutoff.youden"), **told)


def scale_says(say: Say, result: Mapping[str, Any]) -> str:
    """The picture of the scale in words; the risk of the cut-off is not known of older results."""
    told = {"risk": percent(result["risk"]), "prevalence": percent(result["prevalence"])}
    if result.get("cutoff_risk") is None:
        return say("result.risk.scale-without", **told)
    return say("result.risk.scale", cutoff=percent(result["cutoff_risk"]), **told)


def advice(say: Say, fna: Mapping[str, Any]) -> str:
    """Yes, no, or what else the rule has to say."""
    return say(f"result.fna.{ADVICE[_outcome(fna)]}")


def advice_says(say: Say, fna: Mapping[str, Any]) -> str:
    """The advice with threshold and size in one sentence, and when to look again."""
    told = {
        "size": plain(fna["size_mm"]),
        "threshold": f"{fna['threshold_mm'] or 0:g}",
        "level": _subject(say, fna),
    }
    said = say(f"result.fna.{_form(fna)}", **told)
    years = ", ".join(map(str, fna.get("follow_up_years") or ()))
    return f"{said} {say('result.fna.follow-up', years=years)}" if years else said


def threshold(say: Say, fna: Mapping[str, Any]) -> str:
    if fna["threshold_mm"] is None:
        return say("result.fna.none")
    return f"{'≥' if fna.get('inclusive', True) else '>'} {fna['threshold_mm']:g} mm"


def rule(say: Say, name: str) -> str:
    """A guideline's name, or that of SERA's rule after it; what is not known stands as it is."""
    band = RISK_BAND.fullmatch(name)
    if band:
        return say(
            "result.rule.risk-band",
            guideline=_guideline(say, band["guideline"]),
            version=band["version"],
        )
    return _guideline(say, name)


def rule_says(say: Say, fna: Mapping[str, Any]) -> str:
    return say(
        "result.fna.rule", rule=rule(say, fna["rule"]), source=fna.get("source") or fna["rule"]
    )


def level(say: Say, name: str | None) -> str:
    """A guideline's level; what is not known stands as it is, and a dash for none."""
    key = (name or "").replace(",", "").replace(" ", "-")
    try:
        return say(f"result.level.{key}")
    except KeyError:
        return name or "–"


def beside(
    say: Say, fna: Mapping[str, Any], own: Sequence[Mapping[str, Any]]
) -> list[tuple[str, Mapping[str, Any] | None, Mapping[str, Any] | None]]:
    """Each guideline's name with its advice by the risk and by what the reader saw; None where there is none."""
    by_risk = {_of_band(each["rule"]): each for each in (fna, *fna["alternatives"])}
    by_reader = {each["rule"]: each for each in own}
    return [
        (_guideline(say, name), by_risk.get(name), by_reader.get(name))
        for name in by_risk | by_reader
    ]


def described(say: Say, seen: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What the reader saw: what each descriptor is called, and which term was chosen."""
    chosen = [
        (say(f"lexicon.{name}.title"), say(f"lexicon.{name}.{seen[name]}")) for name in CHOICES
    ]
    foci = ", ".join(say(f"lexicon.foci.{each}") for each in seen["foci"] or ["none"])
    if seen["eccentric"]:
        chosen[0] = (chosen[0][0], f"{chosen[0][1]}. {say('lexicon.eccentric')}")
    return [*chosen, (say("lexicon.foci.title"), foci)]


def warning(say: Say, told: Mapping[str, str]) -> str:
    """The sentence of a warning's code, with its message's figures; the message itself where there is none."""
    figures = dict(zip("ab", FIGURE.findall(told["message"]), strict=False))
    try:
        return say(f"result.warning.{told['code']}", **figures)
    except KeyError:
        return told["message"]


def reason(say: Say, code: str | None, message: str | None) -> str:
    """Why a case failed and what to do next."""
    try:
        return say(f"result.reason.{code}")
    except KeyError:
        return message or say("result.reason.other")


def outcome(say: Say, malignant: bool, source: str) -> str:
    verdict = say("result.outcome.malignant" if malignant else "result.outcome.benign")
    return say("result.outcome.says", verdict=verdict, source=say(f"result.outcome.{source}"))


def _form(fna: Mapping[str, Any]) -> str:
    outcome, mm = _outcome(fna), fna["threshold_mm"]
    if outcome in ("consider", "undecided"):
        return f"{outcome}-says"
    if mm is None:
        return "not-due-none"
    return (
        "due-any" if mm == 0 else f"{outcome}-{'from' if fna.get('inclusive', True) else 'above'}"
    )


def _outcome(fna: Mapping[str, Any]) -> str:
    return fna.get("outcome") or ("due" if fna["recommended"] else "not-due")


def _subject(say: Say, fna: Mapping[str, Any]) -> str:
    named = level(say, fna.get("level"))
    return (
        named
        if fna.get("risk") is None
        else say("result.fna.subject", level=named, risk=percent(fna["risk"]))
    )


def _of_band(name: str) -> str:
    """The guideline after which a rule of SERA is named."""
    band = RISK_BAND.fullmatch(name)
    return band["guideline"] if band else name


def _guideline(say: Say, name: str) -> str:
    try:
        return say(f"result.guideline.{name}")
    except KeyError:
        return name
