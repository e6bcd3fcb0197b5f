"""Results of every combination that a statement depends on, and what each screen says of them."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import product
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from markupsafe import Markup

from services.api.cases.schemas import CaseView, SimilarView
from services.api.locales import Language
from services.api.reports import layout, sentences
from services.api.reports.facts import PrintRecord, Report
from services.api.reports.sentences import risk_percent, translator
from services.api.reports.text import ReportedCase
from services.api.reports.text import report_text as report_text_of
from services.api.web.languages import TRANSLATIONS
from services.api.web.page import PAGES
from services.api.web.pages.case import result_facts
from services.api.web.pages.reader_studies import answer_facts
from services.api.web.pages.worklist import SYMBOLS
from services.api.worklist.schemas import WorklistRow, worklist_row
from shared.cases.model_findings import model_findings
from shared.cases.result import advise
from shared.domain.jobs import JobState, Priority
from shared.domain.model_standing import LockedTestAuc, ModelStanding
from shared.domain.outcomes import OutcomeSource
from shared.domain.results.model_reference import GateStanding
from shared.domain.results.prediction import Verdict
from shared.domain.results.result import Result, RiskGuarantee
from shared.domain.results.statement import statement_of
from shared.ledger.cases.repository import Case
from shared.ledger.cases.worklist import WorklistEntry
from tests.support.builders import result

CASE_ID = UUID(int=7)
JOB_ID = UUID(int=8)
NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
ACR = "risk-band/ACR-2017/1"
K_TIRADS = "risk-band/K-TIRADS-2016/1"
NODULES = (
    (0.01, 30.0, ACR),
    (0.04, 12.0, ACR),
    (0.04, 26.0, ACR),
    (0.15, 12.0, ACR),
    (0.15, 16.0, ACR),
    (0.22, 8.0, ACR),
    (0.22, 14.5, ACR),
    (0.02, 12.0, K_TIRADS),
    (0.9, 7.0, K_TIRADS),
    (0.9, None, ACR),
)
"""Risk, size in mm and rule: every band, below and above its threshold, and without a size."""
APART = ModelStanding(test_auc=LockedTestAuc(value=0.6, low=0.5, high=0.7))
MODELS = (
    ({"synthetic": False, "gate": GateStanding.PASSED}, ModelStanding(), True),
    ({"synthetic": True, "gate": GateStanding.NOT_ASKED}, ModelStanding(), False),
    ({"synthetic": False, "gate": GateStanding.OVERRULED}, ModelStanding(), None),
    (
        {
            "synthetic": True,
            "gate": GateStanding.OVERRULED,
            "training_images": 80,
            "training_malignant": 40,
        },
        APART,
        True,
    ),
)
"""Facts of the model, its standing, and whether the prevalence is assumed."""


def all_results() -> Iterator[Result]:
    """Every combination of decision, nodule and model."""
    for decision, nodule, (changes, standing, is_assumed) in product(
        Verdict, NODULES, MODELS
    ):
        risk, size_mm, rule = nodule
        model = replace(result().model, **changes)
        is_above = decision is Verdict.MALIGNANT
        yield result(
            decision=decision,
            risk=risk,
            cutoff_risk=risk / 2 if is_above else (1 + risk) / 2,
            fna=None if size_mm is None else advise(risk, size_mm, rule),
            warnings=model_findings(model, standing),
            model=model,
            prevalence_assumed=is_assumed,
            risk_interval=(0.61 * risk, risk + 0.37 * (1 - risk)),
            risk_guarantee=RiskGuarantee.VENN_ABERS,
        )


def entry(answer: Result) -> WorklistEntry:
    """The entry of the worklist with this result."""
    return WorklistEntry(
        case_id=CASE_ID,
        job_id=JOB_ID,
        external_id="A-1",
        batch=None,
        created_at=NOON,
        size_mm=14.5,
        state=JobState.DONE,
        priority=Priority.ROUTINE,
        attempts=1,
        reason=None,
        facts=None,
        decision=answer.decision,
        statement=statement_of(answer),
        warnings=tuple(warning.code for warning in answer.warnings),
        malignant=None,
        source=None,
        determined_on=None,
        consent=None,
        is_withheld=False,
        reader_level=None,
        reader_level_by=None,
        reader_level_at=None,
        stored_risk=answer.risk,
    )


def row_json(answer: Result) -> dict[str, Any]:
    """The row of `GET /v1/cases`, which the page of a batch shows."""
    row: WorklistRow = worklist_row(entry(answer))
    return row.model_dump(mode="json")


def case_page(answer: Result, language: Language) -> str:
    """The HTML of the case's page."""
    say = translator(language)
    case = CaseView(
        case_id=CASE_ID,
        external_id="A-1",
        size_mm=14.5,
        roi=None,
        frame=None,
        source="file",
        device=None,
        image={"width": 300, "height": 300},
        removed=None,
        duplicate_of=None,
        batch=None,
        descriptors=None,
        reader_assessment=None,
        reader_levels=[],
        created_at=NOON,
        jobs=[JOB_ID],
        outcome=None,
        links={},
    )
    return _rendered(
        "case.html",
        language,
        case=case,
        job=SimpleNamespace(
            job_id=JOB_ID, state=JobState.DONE, result=answer, withheld=False
        ),
        say=say,
        sentences=sentences,
        may_submit=True,
        may_rerun=True,
        similar=SimilarView(model=None, among=0, cases=[], reason="no-result"),
        may_record_outcome=True,
        sources=list(OutcomeSource),
        **result_facts(say, case, answer),
    )


def worklist_page(answer: Result, language: Language) -> str:
    """The HTML of the rows of a worklist with this case alone."""
    page = SimpleNamespace(
        cases=[worklist_row(entry(answer))], total=1, more_than_total=False
    )
    return _rendered(
        "worklist-rows.html",
        language,
        page=page,
        risk_percent=risk_percent,
        symbols=SYMBOLS,
        filters={},
        dead_letters=[],
    )


def copied_text(answer: Result, language: Language) -> str:
    """The text for the report that the page of the case copies."""
    reported = ReportedCase(number="A-1", size_mm=14.5, result=answer)
    return report_text_of(translator(language), reported)


def study_answer(answer: Result, language: Language) -> str:
    """The HTML of SERA's answer in a reader study."""
    blind = SimpleNamespace(probability=50, malignant=True, fna=None)
    facts = answer_facts(TRANSLATIONS[language], answer)
    return _rendered("reading_sera.html", language, blind=blind, **facts)


def report_text(answer: Result, language: Language) -> str:
    """The texts of the report, line by line."""
    case = Case(
        image_sha256="a" * 64,
        image_bytes=1,
        image_format="png",
        width=300,
        height=300,
        size_mm=14.5,
        roi=None,
        external_id="A-1",
        id=CASE_ID,
        created_at=NOON,
    )
    report = Report(
        hospital="north",
        case=case,
        result=answer,
        read_at=NOON,
        outcome=None,
        printed=PrintRecord(person="kim", key="k", printed_at=NOON),
        language=language,
    )
    document = RecordedDocument()
    for draw_part in layout.PARTS:
        draw_part(document, translator(language), report)
    return "\n".join(document.lines)


class RecordedDocument:
    """A document that records its texts. All its lengths are 1."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __getattr__(self, name: str) -> Any:
        if name in {"epw", "w", "l_margin", "r_margin", "c_margin"}:
            return 1.0
        return lambda *args, **keywords: 1.0

    def line_of(self, text: str, height: float = 1.0) -> None:
        self.lines.append(text)

    def heading(self, text: str) -> None:
        self.lines.append(text)

    def text(self, x: float, y: float, text: str) -> None:
        self.lines.append(text)

    def pairs(self, rows: Any, width: float | None = None) -> None:
        self.lines += [": ".join(row) for row in rows]

    def grid(self, head: Any, rows: Any, widths: Any) -> None:
        self.lines += ["; ".join(row) for row in rows]


def visible_text(html: str) -> str:
    """The text of a page without what is folded away under details or in a closed dialog."""
    folded = re.compile(r"<(details|dialog|script)\b.*?</\1>", re.DOTALL)
    unfolded = folded.sub(" ", html)
    text = re.sub(r"<[^>]*>", " ", unfolded)
    return re.sub(r"\s+", " ", Markup(text).unescape())


def _rendered(template: str, language: Language, **facts: Any) -> str:
    visitor = SimpleNamespace(
        caller=None,
        csrf="",
        language=language,
        theme="auto",
        name="kim",
        hospital="north",
        may=lambda act: False,
    )
    shared = {
        "t": TRANSLATIONS[language],
        "visitor": visitor,
        "entries": [],
        "languages": {},
        "themes": (),
        "version": "1",
        "request": SimpleNamespace(url=SimpleNamespace(path="/", query="")),
    }
    return PAGES.env.get_template(template).render(shared | facts)
