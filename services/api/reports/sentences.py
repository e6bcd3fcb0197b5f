"""Words a result in the reader's language, from the fields of the result and never from its English
text.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.api.locales import Language
from services.api.web.languages import TRANSLATIONS
from shared.domain.results.findings import Finding
from shared.domain.results.fna import FnaAdvice, FnaOutcome
from shared.domain.results.prediction import Verdict
from shared.domain.results.rates import CutoffRates, Rate
from shared.domain.results.result import Result
from shared.domain.results.statement import (
    MODEL_CAUTIONS,
    REFERRAL_CODES,
    SIDES,
    Statement,
    statement_of,
)
from shared.guidelines import RULES, TERMS_BY_FIELD
from shared.ledger.cases.reader_levels import ReaderLevel

Translate = Callable[..., str]
"""Returns the text of a key with its fields filled in. Raises KeyError for an unknown key."""
TARGET = re.compile(r"sensitivity>=(?P<share>[\d.]+)")
LEAST_SHOWN_RISK = 0.005
MAX_RISK_DIGITS = 6
RISK_BAND = re.compile(r"risk-band/(?P<guideline>.+)/(?P<version>\d+)")


def translator(language: Language) -> Translate:
    """A function that returns the texts of the pages in one language."""
    texts = TRANSLATIONS[language]
    return lambda key, /, **facts: texts(key).format(**facts)


def percent(share: float) -> str:
    """Format a share with three significant figures, as in the guidelines' sentences: `4.27 %`, `42
    %`.
    """
    return f"{100 * share:.3g} %"


def risk_percent(risk: float) -> str:
    """Format a risk as a whole number of per cent, `42 %`, and below and above all of them as `<1
    %` and `>99 %`.

    A risk that rounding would carry over a limit of a guideline's band gets the decimals that keep
    it on its side: 4.7 % is below the 5 % of TR4 and is not shown as 5 %.
    """
    if 0 < risk < LEAST_SHOWN_RISK:
        return "<1 %"
    if 1 - LEAST_SHOWN_RISK < risk < 1:
        return ">99 %"
    for digits in range(MAX_RISK_DIGITS):
        shown = f"{100 * risk:.{digits}f}"
        if _sides_of_limits(float(shown) / 100) == _sides_of_limits(risk):
            return f"{shown} %"
    return f"{100 * risk:.{MAX_RISK_DIGITS}g} %"


def _sides_of_limits(risk: float) -> list[bool]:
    return [band.contains(risk) for rule in RULES.values() for band in rule.bands]


def plain(number: float) -> str:
    """Format a number with at least one decimal and without rounding: 9.96 mm is not shown as
    10.0.
    """
    return f"{number:.1f}" if round(number, 1) == number else f"{number:.15g}"


def headline(translate: Translate, statement: Statement) -> str:
    """Return the suspicion level in words, or that there is no answer."""
    if not statement.answered:
        return translate("result.statement.no-answer")
    if statement.level is None:
        return translate("result.statement.no-level")
    try:
        suspicion = translate(f"result.suspicion.{_key(statement.level)}")
    except KeyError:
        return statement.level
    return translate(
        "result.statement.headline", level=statement.level, suspicion=suspicion
    )


def fna_headline(translate: Translate, statement: Statement) -> str:
    """Return the FNA advice in a few words; empty for a case without an answer."""
    return translate(f"common.fna.{statement.fna}") if statement.fna else ""


def side_sentence(translate: Translate, statement: Statement, result: Result) -> str:
    """Return the side of the cut-off, with the cut-off's sensitivity and specificity; empty for a
    case without an answer.
    """
    if statement.side is None:
        return ""
    side = translate(f"result.side.{statement.side}")
    return f"{side} {rates_sentence(translate, result.cutoff_rates)}"


def earlier_answer(
    translate: Translate, decision: str | None, risk: float | None
) -> str:
    """Return what SERA answered in a past case: risk and side of the cut-off, or no answer. Both
    are None if the answer is withheld from the reader.
    """
    if decision is None or risk is None:
        return translate("common.own_level_first")
    side = SIDES.get(Verdict(decision))
    if side is None:
        return translate("common.answer.refer")
    return translate(
        "case.similar.answer",
        risk=risk_percent(risk),
        side=translate(f"common.side.{side}"),
    )


def rates_sentence(translate: Translate, rates: CutoffRates | None) -> str:
    """Return sensitivity and specificity with their intervals and where they were measured."""
    if rates is None:
        return translate("result.rates.unknown")
    return translate(
        f"result.rates.{rates.source}",
        sensitivity=_share(translate, rates.sensitivity),
        specificity=_share(translate, rates.specificity),
    )


def contrast_sentence(
    translate: Translate, statement: Statement, result: Result
) -> str:
    """Return why level and advice hold although the side of the cut-off seems to say otherwise;
    empty if it does not.
    """
    if statement.contrast is None:
        return ""
    return translate(
        f"result.contrast.{statement.contrast}",
        level=statement.level,
        cutoff=risk_percent(result.cutoff_risk),
    )


def risk_text(translate: Translate, statement: Statement) -> str:
    """Return the risk with its interval, if it has one; empty for a case without an answer."""
    if statement.risk is None:
        return ""
    if statement.risk_interval is None:
        return risk_percent(statement.risk)
    return (
        f"{risk_percent(statement.risk)} {interval(translate, statement.risk_interval)}"
    )


def interval(translate: Translate, ends: tuple[float, float]) -> str:
    """Return an interval of the risk in brackets."""
    low, high = ends
    return translate(
        "common.risk_interval", low=risk_percent(low), high=risk_percent(high)
    )


def interval_sentence(translate: Translate, result: Result) -> str:
    """Return what the interval of the risk guarantees; empty without one."""
    if result.risk_interval is None:
        return ""
    low, high = result.risk_interval
    return translate(
        f"result.risk.interval-{result.risk_guarantee}",
        low=risk_percent(low),
        high=risk_percent(high),
    )


def prevalence_sentence(translate: Translate, result: Result) -> str:
    """Return the prevalence at which the risk holds, and whether it is an assumption."""
    states = {True: "assumed", False: "set", None: "unknown"}
    return translate(
        f"result.prevalence.{states[result.prevalence_assumed]}",
        prevalence=percent(result.prevalence),
    )


def prevalence_mark(translate: Translate, result: Result) -> str:
    """Return the label of the prevalence on the scale of the risk."""
    key = "prevalence-assumed" if result.prevalence_assumed else "prevalence"
    return translate(f"result.risk.{key}", prevalence=percent(result.prevalence))


def cutoff_sentence(translate: Translate, result: Result) -> str:
    return translate(
        "result.cutoff.says",
        rule=_cutoff_rule(translate, result.cutoff_rule),
        score=f"{result.score:.2f}",
        cutoff=f"{result.cutoff:.2f}",
    )


def scale_sentence(translate: Translate, result: Result) -> str:
    """Describe the risk scale for people who cannot see it."""
    return translate(
        "result.risk.scale",
        risk=risk_percent(result.risk),
        cutoff=risk_percent(result.cutoff_risk),
    )


def advice_sentence(translate: Translate, fna: FnaAdvice | None) -> str:
    """Return the advice with threshold and size in one sentence, and the follow-up if there is
    one.
    """
    if fna is None:
        return translate("result.warning.size-not-given")
    sentence = _advice(translate, "result.fna", fna, _subject(translate, fna))
    return f"{sentence} {_follow_up(translate, fna)}".rstrip()


def advice_reason(translate: Translate, fna: FnaAdvice | None) -> str:
    """Return why the advice follows from level and size, to stand behind the advice itself, and
    the follow-up if there is one.
    """
    if fna is None:
        return translate("result.warning.size-not-given")
    reason = _advice(translate, "result.because", fna, level(translate, fna.level))
    return f"{reason} {_follow_up(translate, fna)}".rstrip()


def _advice(translate: Translate, table: str, fna: FnaAdvice, subject: str) -> str:
    return translate(
        f"{table}.{_form(fna)}",
        size=plain(fna.size_mm),
        threshold=f"{fna.threshold_mm or 0:g}",
        level=subject,
    )


def _follow_up(translate: Translate, fna: FnaAdvice) -> str:
    if not fna.follow_up_years:
        return ""
    years = ", ".join(map(str, fna.follow_up_years))
    return translate("result.fna.follow-up", years=years)


def threshold(translate: Translate, fna: FnaAdvice) -> str:
    if fna.threshold_mm is None:
        return translate("result.fna.none")
    return f"{'≥' if fna.inclusive else '>'} {fna.threshold_mm:g} mm"


def rule(translate: Translate, name: str) -> str:
    """Return the name of a guideline, or of a SERA rule that derives from a guideline. An unknown
    name is not changed.
    """
    band = RISK_BAND.fullmatch(name)
    if band:
        return translate(
            "result.rule.risk-band",
            guideline=_guideline(translate, band["guideline"]),
            version=band["version"],
        )
    return _guideline(translate, name)


def rule_sentence(translate: Translate, fna: FnaAdvice) -> str:
    return translate(
        "result.fna.rule", rule=rule(translate, fna.rule), source=fna.source
    )


def reader_level(translate: Translate, stored: ReaderLevel, time: str) -> str:
    """Return the level that a person entered before SERA's answer was shown to them."""
    return translate(
        "result.reader-level",
        level=level(translate, stored.level),
        guideline=_guideline(translate, stored.guideline),
        name=stored.name,
        time=time,
    )


def level(translate: Translate, name: str | None) -> str:
    """Return the level of a guideline, or a dash if there is none. An unknown level is not
    changed.
    """
    try:
        return translate(f"result.level.{_key(name or '')}")
    except KeyError:
        return name or "–"


def by_risk(fna: FnaAdvice | None) -> tuple[FnaAdvice, ...]:
    """Return the advice of the hospital's rule, then of the other rules. Empty without advice."""
    return (fna, *fna.alternatives) if fna else ()


def side_by_side(
    translate: Translate, fna: FnaAdvice | None, reader_advice: Sequence[FnaAdvice]
) -> list[tuple[str, FnaAdvice | None, FnaAdvice | None]]:
    """Return for each guideline its name, its advice by the risk, and its advice by the reader's
    descriptors.
    """
    advice_by_risk = {
        _guideline_of_rule(advice.rule): advice for advice in by_risk(fna)
    }
    advice_by_reader = {advice.rule: advice for advice in reader_advice}
    return [
        (
            _guideline(translate, name),
            advice_by_risk.get(name),
            advice_by_reader.get(name),
        )
        for name in advice_by_risk | advice_by_reader
    ]


def described(
    translate: Translate, descriptors: Mapping[str, Any]
) -> list[tuple[str, str]]:
    """Return the name and the term of each of the reader's descriptors. The composition comes
    first.
    """
    rows = []
    for name in TERMS_BY_FIELD:
        title = translate(f"lexicon.{name}.title")
        term = translate(f"lexicon.{name}.{descriptors[name]}")
        rows.append((title, term))
    if descriptors["eccentric"]:
        title, term = rows[0]
        rows[0] = (title, f"{term}. {translate('lexicon.eccentric')}")
    foci = descriptors["foci"] or ["none"]
    foci_terms = [translate(f"lexicon.foci.{focus}") for focus in foci]
    rows.append((translate("lexicon.foci.title"), ", ".join(foci_terms)))
    return rows


def warning(translate: Translate, finding: Finding) -> str:
    """Return the sentence of a warning's code with its facts, or the stored message if the code has
    no sentence.
    """
    try:
        return translate(f"result.warning.{finding.code}", **finding.facts)
    except KeyError:
        return finding.message


@dataclass(frozen=True, kw_only=True)
class Remark:
    """A warning about a case: a name of a few words, and what it means and asks for."""

    code: str
    name: str
    sentence: str


def reasons(translate: Translate, result: Result) -> list[str]:
    """Return the sentences of the warnings that say why a case is referred; empty if it is not."""
    codes = statement_of(result).reasons
    return [
        warning(translate, finding)
        for finding in result.warnings
        if finding.code in codes
    ]


def remarks(translate: Translate, result: Result) -> list[Remark]:
    """Return the warnings about the case that are not reasons of a referral."""
    left_out = {*MODEL_CAUTIONS, *statement_of(result).reasons}
    return [
        Remark(
            code=finding.code,
            name=_remark_name(translate, finding.code),
            sentence=warning(translate, finding),
        )
        for finding in result.warnings
        if finding.code not in left_out
    ]


def _remark_name(translate: Translate, code: str) -> str:
    try:
        return translate(f"result.remark.{code}")
    except KeyError:
        return translate("result.warnings.title")


def model_warnings(translate: Translate, result: Result) -> list[str]:
    """Return the sentences of the warnings about the model, the most serious first."""
    by_code = {finding.code: finding for finding in result.warnings}
    return [
        warning(translate, by_code[code]) for code in MODEL_CAUTIONS if code in by_code
    ]


def case_warnings(translate: Translate, result: Result) -> list[str]:
    """Return the sentences of the warnings about the case, the reasons of a referral first."""
    findings = [
        finding for finding in result.warnings if finding.code not in MODEL_CAUTIONS
    ]
    reasons_first = sorted(
        findings, key=lambda finding: finding.code not in REFERRAL_CODES
    )
    return [warning(translate, finding) for finding in reasons_first]


def reason(translate: Translate, code: str | None, message: str | None) -> str:
    """Return the reason why a case failed, and the next step."""
    try:
        return translate(f"result.reason.{code}")
    except KeyError:
        return message or translate("result.reason.other")


def outcome(translate: Translate, malignant: bool, source: str) -> str:
    verdict = translate(
        "result.outcome.malignant" if malignant else "result.outcome.benign"
    )
    return translate(
        "result.outcome.says",
        verdict=verdict,
        source=translate(f"result.outcome.{source}"),
    )


def _key(level_name: str) -> str:
    """Return the name of a level as it is in the keys of texts."""
    return level_name.replace(",", "").replace(" ", "-")


def _share(translate: Translate, rate: Rate) -> str:
    return translate(
        "result.rates.share",
        value=f"{100 * rate.value:.0f} %",
        low=f"{100 * rate.low:.0f}",
        high=f"{100 * rate.high:.0f} %",
    )


def _cutoff_rule(translate: Translate, rule: str) -> str:
    target = TARGET.fullmatch(rule)
    if target is None:
        return translate("result.cutoff.youden")
    return translate("result.cutoff.sensitivity", share=percent(float(target["share"])))


def _form(fna: FnaAdvice) -> str:
    if fna.outcome in (FnaOutcome.CONSIDER, FnaOutcome.UNDECIDED):
        return f"{fna.outcome}-says"
    if fna.threshold_mm is None:
        return "not-due-none"
    if fna.threshold_mm == 0:
        return "due-any"
    return f"{fna.outcome}-{'from' if fna.inclusive else 'above'}"


def _subject(translate: Translate, fna: FnaAdvice) -> str:
    named = level(translate, fna.level)
    if fna.risk is None:
        return named
    return translate("result.fna.subject", level=named, risk=risk_percent(fna.risk))


def _guideline_of_rule(name: str) -> str:
    """Return the guideline from which a rule of SERA derives."""
    band = RISK_BAND.fullmatch(name)
    return band["guideline"] if band else name


def _guideline(translate: Translate, name: str) -> str:
    try:
        return translate(f"result.guideline.{name}")
    except KeyError:
        return name
