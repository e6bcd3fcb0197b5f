"""The result of a case as plain text, for the reader to paste into the report."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.api.cases.assessment import DescriptorsView, ReaderAssessment
from services.api.cases.reader_level import ReaderLevelView
from services.api.reports import sentences
from services.api.reports.sentences import Translate
from shared.domain.results.result import Result
from shared.domain.results.statement import Statement, statement_of
from shared.version import VERSION

DIGEST_LETTERS = 12
"""Enough of a model's digest to find it in the list of models."""


@dataclass(frozen=True, kw_only=True)
class ReportedCase:
    """The facts of a case that its text names."""

    number: str
    size_mm: float
    result: Result
    reader_levels: Sequence[ReaderLevelView] = ()
    descriptors: DescriptorsView | None = None
    reader_assessment: ReaderAssessment | None = None


def report_text(translate: Translate, case: ReportedCase) -> str:
    """Return labelled lines, each a fact: what was measured, what SERA says, and its source.

    A referred case has no risk, level or advice in it.
    """
    result = case.result
    statement = statement_of(result)
    lines = [
        translate("report.text.title", version=VERSION),
        translate("report.text.case", number=case.number),
        translate("report.text.nodule", size=sentences.plain(case.size_mm)),
    ]
    if statement.answered:
        lines += _answer(translate, statement, result)
    else:
        lines += _referral(translate, statement, result)
    lines += _reader(translate, case)
    lines += _remarks(translate, result)
    lines.append(
        translate(
            "report.text.model",
            name=result.model.name,
            version=result.model.version,
            digest=result.model.digest[:DIGEST_LETTERS],
        )
    )
    lines.append(translate("report.text.device"))
    return "\n".join(lines)


def _answer(translate: Translate, statement: Statement, result: Result) -> list[str]:
    lines: list[str] = []
    if result.fna is not None:
        lines.append(
            translate(
                "report.text.level",
                level=sentences.headline(translate, statement),
                rule=sentences.rule(translate, result.fna.rule),
            )
        )
    risk = translate(
        "report.text.risk",
        risk=sentences.risk_text(translate, statement),
        side=translate(f"result.side.{statement.side}"),
    )
    lines.append(f"{risk} {sentences.prevalence_sentence(translate, result)}")
    advice = (
        f"{sentences.fna_headline(translate, statement)}. "
        f"{sentences.advice_reason(translate, result.fna)}"
    )
    lines.append(translate("report.text.recommendation", advice=advice))
    contrast = sentences.contrast_sentence(translate, statement, result)
    if contrast:
        lines.append(contrast)
    return lines


def _referral(translate: Translate, statement: Statement, result: Result) -> list[str]:
    answer = sentences.headline(translate, statement)
    lines = [translate("report.text.answer", answer=answer)]
    reasons = sentences.reasons(translate, result)
    if reasons:
        lines.append(translate("report.text.reasons", reasons=" ".join(reasons)))
    return lines


def _reader(translate: Translate, case: ReportedCase) -> list[str]:
    lines = [
        translate(
            "report.text.reader",
            level=sentences.level(translate, entered.level),
            guideline=sentences.rule(translate, entered.guideline),
            name=entered.name,
        )
        for entered in case.reader_levels
    ]
    if case.descriptors is not None and case.reader_assessment is not None:
        described = sentences.described(translate, case.descriptors.model_dump())
        lines.append(
            translate(
                "report.text.description",
                terms="; ".join(f"{name}: {term}" for name, term in described),
                level=translate(
                    "lexicon.level",
                    level=case.reader_assessment.level,
                    points=case.reader_assessment.points,
                ),
            )
        )
    return lines


def _remarks(translate: Translate, result: Result) -> list[str]:
    """The warnings about the model, then those about the case."""
    remarks = [remark.sentence for remark in sentences.remarks(translate, result)]
    all_remarks = [*sentences.model_warnings(translate, result), *remarks]
    if not all_remarks:
        return []
    return [translate("report.text.remarks", remarks=" ".join(all_remarks))]
