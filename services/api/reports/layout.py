"""From a report's facts to its PDF. The same facts make the same bytes."""

from collections.abc import Sequence

from services.api.reports import picture, sentences
from services.api.reports.facts import Report
from services.api.reports.paper import (
    ALARM,
    FONT,
    INK,
    PALE,
    QUIET,
    SMALL_PT,
    WHITE,
    ReportDocument,
)
from services.api.reports.sentences import Translate, percent, plain, translator
from services.api.reports.zones import in_hours_of
from shared.domain.results.fna import FnaAdvice

PICTURE_MM = (64.0, 50.0)
GUTTER_MM = 4.0
"""The room for the image, width and height, and what lies between it and the facts."""
SCALE_MM = (120.0, 5.0)
"""Width and height of the bar on which the risk stands."""


def pdf(report: Report) -> bytes:
    """One or two pages of A4."""
    say = translator(report.language)
    paper = ReportDocument([say("report.device"), _printed(say, report)], _page(say))
    paper.set_title(say("report.title"))
    paper.set_lang(report.language)
    paper.set_creator("SERA")
    paper.set_creation_date(report.printed.at)
    paper.add_page()
    for part in (_head, _case, _risk, _fna, _own, _warnings, _guidelines, _components):
        part(paper, say, report)
    return bytes(paper.output())


def _head(paper: ReportDocument, say: Translate, report: Report) -> None:
    paper.bold(16)
    paper.line_of(say("report.title"), 8)
    if report.synthetic:
        paper.bold(20, ALARM)
        paper.line_of(say("result.model.synthetic"), 10)
    paper.ln(1)


def _case(paper: ReportDocument, say: Translate, report: Report) -> None:
    case = report.case
    model = report.result.model
    rows = [
        (say("report.hospital"), report.hospital),
        (say("report.case"), str(case.id)),
        (say("report.external"), case.external_id or "–"),
        (say("report.submitted"), in_hours_of(report.zone, case.created_at)),
        (say("report.read"), in_hours_of(report.zone, report.read_at)),
        (say("report.size"), say("report.size-value", size=plain(case.size_mm))),
        (say("report.roi"), _roi(say, report)),
        (say("result.outcome.title"), _outcome(say, report)),
    ]
    top = paper.get_y()
    paper.pairs(
        rows,
        paper.epw - PICTURE_MM[0] - GUTTER_MM if report.picture is not None else None,
    )
    _picture(paper, say, report, top)
    paper.plain(SMALL_PT, QUIET)
    paper.line_of(
        say(
            "result.model.says",
            name=model.name,
            version=model.version,
            digest=model.digest,
        )
    )


def _picture(paper: ReportDocument, say: Translate, report: Report, top: float) -> None:
    """Beside the facts, which begin at `top`; what comes next begins below both."""
    paper.plain(SMALL_PT, QUIET)
    if report.picture is None:
        paper.line_of(say("report.no-image"))
        return
    below = paper.get_y()
    right = paper.w - paper.r_margin
    height = picture.place(paper, report.roi, report.picture, (right, top), PICTURE_MM)
    paper.set_xy(right - PICTURE_MM[0], top + height + 1)
    paper.multi_cell(
        PICTURE_MM[0],
        3.5,
        say("report.image"),
        align="R",
        new_x="LMARGIN",
        new_y="NEXT",
    )
    paper.set_y(max(below, paper.get_y()))


def _risk(paper: ReportDocument, say: Translate, report: Report) -> None:
    result = report.result
    paper.heading(say("result.risk.title"))
    paper.bold(24)
    paper.line_of(percent(result.risk), 11)
    _scale(paper, say, report)
    paper.bold(12)
    paper.line_of(f"{say('report.decision')}: {sentences.decision(say, result)}", 6)
    paper.plain()
    paper.line_of(sentences.decision_says(say, result))
    paper.plain(SMALL_PT, QUIET)
    paper.line_of(
        f"{sentences.cutoff_says(say, result)}. {sentences.scale_says(say, result)}"
    )


def _scale(paper: ReportDocument, say: Translate, report: Report) -> None:
    """A bar from 0 to 100 %, filled up to the risk, with the cut-off above it and the prevalence below it."""
    (width, height), result = SCALE_MM, report.result
    left = paper.l_margin + paper.c_margin
    top = paper.get_y() + 6
    paper.set_draw_color(*QUIET)
    paper.set_fill_color(*PALE)
    paper.rect(left, top, width, height, style="DF")
    paper.set_fill_color(*INK)
    paper.rect(left, top, max(width * result.risk, 0.3), height, style="F")
    marks = {
        "cutoff": (result.cutoff_risk, top - 2),
        "prevalence": (result.prevalence, top + height + 5),
    }
    for name, (share, foot) in marks.items():
        text = say(f"result.risk.{name}", **{name: percent(share)})
        _mark(paper, left + width * share, top, foot, text)
    paper.set_fill_color(*WHITE)
    paper.set_y(top + height + 7)


def _mark(paper: ReportDocument, at: float, top: float, foot: float, text: str) -> None:
    """A line across the bar; its words stand on `foot`."""
    paper.line(at, top - 1.5, at, top + SCALE_MM[1] + 1.5)
    paper.set_font(FONT, size=SMALL_PT)
    paper.text(max(paper.l_margin, at - paper.get_string_width(text) / 2), foot, text)


def _fna(paper: ReportDocument, say: Translate, report: Report) -> None:
    fna = report.result.fna
    paper.heading(sentences.advice(say, fna))
    paper.plain()
    paper.line_of(sentences.advice_says(say, fna))
    if fna:
        paper.plain(SMALL_PT, QUIET)
        paper.line_of(sentences.rule_says(say, fna))


def _warnings(paper: ReportDocument, say: Translate, report: Report) -> None:
    if not report.result.warnings:
        return
    paper.heading(say("result.warnings.title"))
    paper.plain()
    for warning in report.result.warnings:
        paper.line_of(f"• {sentences.warning(say, warning)}")


def _own(paper: ReportDocument, say: Translate, report: Report) -> None:
    """What the reader saw, and ACR's answer to it; nothing where nothing was described."""
    own = report.reader_assessment
    descriptors = report.case.descriptors
    if own is None or descriptors is None:
        return
    paper.heading(
        f"{say('lexicon.title')}. {say('lexicon.level', level=own.level, points=own.points)}"
    )
    paper.plain()
    paper.line_of(sentences.advice_says(say, own.advice[0]))
    paper.line_of(
        "; ".join(
            f"{name}: {seen}" for name, seen in sentences.described(say, descriptors)
        )
    )
    paper.plain(SMALL_PT, QUIET)
    paper.line_of(say("lexicon.about"))


def _guidelines(paper: ReportDocument, say: Translate, report: Report) -> None:
    """By the risk; where the reader described the nodule, by that beside it."""
    fna = report.result.fna
    by_risk = sentences.by_risk(fna)
    paper.heading(say("result.guidelines.title"))
    if report.reader_assessment:
        _beside(paper, say, fna, report.reader_assessment.advice)
        paper.plain(SMALL_PT, QUIET)
        paper.line_of(". ".join(sentences.rule(say, advice.rule) for advice in by_risk))
        return
    head = [
        say(f"result.guidelines.{name}")
        for name in ("name", "level", "threshold", "advice")
    ]
    rows = [
        (
            sentences.rule(say, advice.rule),
            sentences.level(say, advice.level),
            sentences.threshold(say, advice),
            sentences.advice_says(say, advice),
        )
        for advice in by_risk
    ]
    paper.grid(head, rows, (32, 18, 18, 60))


def _beside(
    paper: ReportDocument, say: Translate, fna: FnaAdvice | None, own: Sequence[FnaAdvice]
) -> None:
    head = [
        say(key)
        for key in ("result.guidelines.name", "lexicon.by_risk", "lexicon.by_reader")
    ]
    rows = [
        (name, *(_advice(say, each) for each in advice))
        for name, *advice in sentences.beside(say, fna, own)
    ]
    paper.grid(head, rows, (24, 52, 52))


def _advice(say: Translate, fna: FnaAdvice | None) -> str:
    if fna is None:
        return "–"
    return f"{sentences.level(say, fna.level)}. {sentences.advice_says(say, fna)}"


def _components(paper: ReportDocument, say: Translate, report: Report) -> None:
    paper.heading(say("result.components.title"))
    head = [
        say(f"result.components.{name}")
        for name in ("network", "classifier", "probability")
    ]
    rows = [
        (
            f"{component.network} {component.tap}",
            component.classifier,
            percent(component.probability),
        )
        for component in report.result.components
    ]
    paper.grid(head, rows, (60, 40, 25))


def _printed(say: Translate, report: Report) -> str:
    who = report.printed.person or say("report.key", key=report.printed.key)
    return say(
        "report.printed", who=who, when=in_hours_of(report.zone, report.printed.at)
    )


def _page(say: Translate) -> str:
    """Still with its fields, which are known when the page is full."""
    return say("report.page", page="{page}", pages="{pages}")


def _roi(say: Translate, report: Report) -> str:
    roi = report.roi
    if roi is None:
        return say("report.roi-none")
    if "box" in roi:
        x, y, width, height = (f"{each:g}" for each in roi["box"])
        box = say("report.roi-box", x=x, y=y, width=width, height=height)
        return box if report.case.roi else f"{box} ({say('report.roi-calipers')})"
    return say("report.roi-polygon", points=len(roi["polygon"]))


def _outcome(say: Translate, report: Report) -> str:
    known = report.outcome
    return (
        sentences.outcome(say, known.malignant, known.source)
        if known
        else say("result.outcome.unknown")
    )
