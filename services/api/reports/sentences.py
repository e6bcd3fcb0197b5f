"""What a result says, in the language of who reads it. Built from the result's fields, never from its English text."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from services.api.locales import Language
from services.api.web.languages import TRANSLATIONS
from shared.domain.results.findings import Finding
from shared.domain.results.fna import FnaAdvice, FnaOutcome
from shared.domain.results.result import Result
from shared.guidelines import TERMS_BY_FIELD

Translate = Callable[..., str]
"""A word or sentence by its key, with what is to be filled in; KeyError for a key that there is not."""
TARGET = re.compile(r"sensitivity>=(?P<share>[\d.]+)")
RISK_BAND = re.compile(r"risk-band/(?P<guideline>.+)/(?P<version>\d+)")
ADVICE = {
    FnaOutcome.DUE: "yes",
    FnaOutcome.NOT_DUE: "no",
    FnaOutcome.CONSIDER: "consider",
    FnaOutcome.UNDECIDED: "undecided",
}


def translator(language: Language) -> Translate:
    """Says the words of the pages."""
    words = TRANSLATIONS[language]
    return lambda key, /, **facts: words(key).format(**facts)


def percent(share: float) -> str:
    """Three figures, as the guidelines' own sentences have it: `4.27 %`, `42 %`."""
    return f"{100 * share:.3g} %"


def plain(number: float) -> str:
    """One decimal, or as many as the number has: 9.96 mm is not shown as 10.0."""
    return f"{number:.1f}" if round(number, 1) == number else f"{number:.15g}"


def decision(say: Translate, result: Result) -> str:
    return say(f"result.decision.{result.decision}")


def decision_says(say: Translate, result: Result) -> str:
    return say(f"result.decision-says.{result.decision}")


def cutoff_says(say: Translate, result: Result) -> str:
    return say(
        "result.cutoff.says",
        rule=_cutoff_rule(say, result.cutoff_rule),
        score=f"{result.score:.2f}",
        cutoff=f"{result.cutoff:.2f}",
    )


def scale_says(say: Translate, result: Result) -> str:
    """The picture of the scale in words."""
    return say(
        "result.risk.scale",
        risk=percent(result.risk),
        cutoff=percent(result.cutoff_risk),
        prevalence=percent(result.prevalence),
    )


def advice(say: Translate, fna: FnaAdvice | None) -> str:
    """Yes, no, or what else the rule has to say; no advice where the case has no size."""
    outcome = fna.outcome if fna else FnaOutcome.UNDECIDED
    return say(f"result.fna.{ADVICE[outcome]}")


def advice_says(say: Translate, fna: FnaAdvice | None) -> str:
    """The advice with threshold and size in one sentence, and when to look again."""
    if fna is None:
        return say("result.warning.size-not-given")
    sentence = say(
        f"result.fna.{_form(fna)}",
        size=plain(fna.size_mm),
        threshold=f"{fna.threshold_mm or 0:g}",
        level=_subject(say, fna),
    )
    if not fna.follow_up_years:
        return sentence
    years = ", ".join(map(str, fna.follow_up_years))
    return f"{sentence} {say('result.fna.follow-up', years=years)}"


def threshold(say: Translate, fna: FnaAdvice) -> str:
    if fna.threshold_mm is None:
        return say("result.fna.none")
    return f"{'≥' if fna.inclusive else '>'} {fna.threshold_mm:g} mm"


def rule(say: Translate, name: str) -> str:
    """A guideline's name, or that of SERA's rule after it; what is not known stands as it is."""
    band = RISK_BAND.fullmatch(name)
    if band:
        return say(
            "result.rule.risk-band",
            guideline=_guideline(say, band["guideline"]),
            version=band["version"],
        )
    return _guideline(say, name)


def rule_says(say: Translate, fna: FnaAdvice) -> str:
    return say("result.fna.rule", rule=rule(say, fna.rule), source=fna.source)


def level(say: Translate, name: str | None) -> str:
    """A guideline's level; what is not known stands as it is, and a dash for none."""
    key = (name or "").replace(",", "").replace(" ", "-")
    try:
        return say(f"result.level.{key}")
    except KeyError:
        return name or "–"


def by_risk(fna: FnaAdvice | None) -> tuple[FnaAdvice, ...]:
    """The hospital's rule, then the others; nothing where there is no advice."""
    return (fna, *fna.alternatives) if fna else ()


def beside(
    say: Translate, fna: FnaAdvice | None, own: Sequence[FnaAdvice]
) -> list[tuple[str, FnaAdvice | None, FnaAdvice | None]]:
    """Each guideline's name with its advice by the risk and by what the reader saw; None where there is none."""
    risk_advice = {_of_band(advice.rule): advice for advice in by_risk(fna)}
    reader_advice = {advice.rule: advice for advice in own}
    return [
        (_guideline(say, name), risk_advice.get(name), reader_advice.get(name))
        for name in risk_advice | reader_advice
    ]


def described(say: Translate, seen: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What the reader saw: what each descriptor is called, and which term was chosen."""
    chosen = [
        (say(f"lexicon.{name}.title"), say(f"lexicon.{name}.{seen[name]}"))
        for name in TERMS_BY_FIELD
    ]
    foci = ", ".join(say(f"lexicon.foci.{each}") for each in seen["foci"] or ["none"])
    if seen["eccentric"]:
        chosen[0] = (chosen[0][0], f"{chosen[0][1]}. {say('lexicon.eccentric')}")
    return [*chosen, (say("lexicon.foci.title"), foci)]


def warning(say: Translate, finding: Finding) -> str:
    """The sentence of a warning's code, filled with its facts; the message itself where there is none."""
    try:
        return say(f"result.warning.{finding.code}", **finding.facts)
    except KeyError:
        return finding.message


def reason(say: Translate, code: str | None, message: str | None) -> str:
    """Why a case failed and what to do next."""
    try:
        return say(f"result.reason.{code}")
    except KeyError:
        return message or say("result.reason.other")


def outcome(say: Translate, malignant: bool, source: str) -> str:
    verdict = say("result.outcome.malignant" if malignant else "result.outcome.benign")
    return say(
        "result.outcome.says", verdict=verdict, source=say(f"result.outcome.{source}")
    )


def _cutoff_rule(say: Translate, rule: str) -> str:
    target = TARGET.fullmatch(rule)
    if target is None:
        return say("result.cutoff.youden")
    return say("result.cutoff.sensitivity", share=percent(float(target["share"])))


def _form(fna: FnaAdvice) -> str:
    if fna.outcome in (FnaOutcome.CONSIDER, FnaOutcome.UNDECIDED):
        return f"{fna.outcome}-says"
    if fna.threshold_mm is None:
        return "not-due-none"
    if fna.threshold_mm == 0:
        return "due-any"
    return f"{fna.outcome}-{'from' if fna.inclusive else 'above'}"


def _subject(say: Translate, fna: FnaAdvice) -> str:
    named = level(say, fna.level)
    if fna.risk is None:
        return named
    return say("result.fna.subject", level=named, risk=percent(fna.risk))


def _of_band(name: str) -> str:
    """The guideline after which a rule of SERA is named."""
    band = RISK_BAND.fullmatch(name)
    return band["guideline"] if band else name


def _guideline(say: Translate, name: str) -> str:
    try:
        return say(f"result.guideline.{name}")
    except KeyError:
        return name
