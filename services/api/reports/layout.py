"""Lays out the PDF of a report. Equal facts give equal bytes."""

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
from services.api.reports.sentences import Translate, plain, risk_percent, translator
from services.api.reports.zones import in_hours_of
from shared.domain.results.fna import FnaAdvice
from shared.domain.results.roi_source import RoiSource

PICTURE_MM = (64.0, 50.0)
GUTTER_MM = 4.0
"""Width and height for the image, and the gap between the image and the facts."""
SCALE_MM = (120.0, 5.0)
"""Width and height of the bar that shows the risk."""
NOTE_LINE_MM = 3.5
"""Line height of the notes on the risk, so that a report with descriptors keeps to one page."""


def pdf(report: Report) -> bytes:
    """Return the PDF: one or two pages of A4."""
    translate = translator(report.language)
    document = ReportDocument(
        [translate("report.device"), _printed(translate, report)], _page(translate)
    )
    document.set_title(translate("report.title"))
    document.set_lang(report.language)
    document.set_creator("SERA")
    document.set_creation_date(report.printed.printed_at)
    document.add_page()
    for draw_part in PARTS:
        draw_part(document, translate, report)
    return bytes(document.output())


def _head(document: ReportDocument, translate: Translate, report: Report) -> None:
    document.bold(16)
    document.line_of(translate("report.title"), 8)
    if report.is_synthetic:
        document.bold(20, ALARM)
        document.line_of(translate("result.model.synthetic"), 10)
    warnings = sentences.model_warnings(translate, report.result)
    if warnings:
        document.bold()
        document.line_of(translate("report.about-model"))
        document.plain()
        for warning in warnings:
            document.line_of(f"• {warning}")
    document.ln(1)


def _case(document: ReportDocument, translate: Translate, report: Report) -> None:
    case = report.case
    model = report.result.model
    rows = [
        (translate("report.hospital"), report.hospital),
        (translate("report.case"), str(case.id)),
        (translate("report.external"), case.external_id or "–"),
        (translate("report.submitted"), in_hours_of(report.zone, case.created_at)),
        (translate("report.read"), in_hours_of(report.zone, report.read_at)),
        (
            translate("report.size"),
            translate("report.size-value", size=plain(case.size_mm)),
        ),
        (translate("report.roi"), _roi(translate, report)),
        (translate("result.outcome.title"), _outcome(translate, report)),
    ]
    top = document.get_y()
    width = None
    if report.picture is not None:
        width = document.epw - PICTURE_MM[0] - GUTTER_MM
    document.pairs(rows, width)
    _picture(document, translate, report, top)
    document.plain(SMALL_PT, QUIET)
    document.line_of(
        translate(
            "result.model.says",
            name=model.name,
            version=model.version,
            digest=model.digest,
        )
    )


def _picture(
    document: ReportDocument, translate: Translate, report: Report, top: float
) -> None:
    """Draw the image beside the facts, which begin at `top`. The next part begins below both."""
    document.plain(SMALL_PT, QUIET)
    if report.picture is None:
        document.line_of(translate("report.no-image"))
        return
    facts_end = document.get_y()
    right = document.w - document.r_margin
    height = picture.place(
        document, report.drawn_roi, report.picture, (right, top), PICTURE_MM
    )
    document.set_xy(right - PICTURE_MM[0], top + height + 1)
    document.multi_cell(
        PICTURE_MM[0],
        3.5,
        translate("report.image"),
        align="R",
        new_x="LMARGIN",
        new_y="NEXT",
    )
    document.set_y(max(facts_end, document.get_y()))


def _statement(document: ReportDocument, translate: Translate, report: Report) -> None:
    """The suspicion level and the FNA advice, or that there is no answer."""
    statement = report.statement
    document.heading(translate("result.statement.title"))
    headline = sentences.headline(translate, statement)
    document.bold(15)
    if not statement.answered:
        document.line_of(headline, 8)
        document.plain()
        document.line_of(translate("result.statement.no-answer-says"))
        return
    document.line_of(f"{headline}. {sentences.fna_headline(translate, statement)}", 8)
    fna = report.result.fna
    document.plain()
    document.line_of(sentences.advice_sentence(translate, fna))
    if fna:
        document.plain(SMALL_PT, QUIET)
        document.line_of(sentences.rule_sentence(translate, fna))


def _reader_levels(
    document: ReportDocument, translate: Translate, report: Report
) -> None:
    """What people said before they saw SERA's answer; nothing if nobody entered a level."""
    if not report.reader_levels:
        return
    document.heading(translate("report.reader-levels"))
    document.plain()
    for level in report.reader_levels:
        time = in_hours_of(report.zone, level.at)
        document.line_of(sentences.reader_level(translate, level, time))


def _risk(document: ReportDocument, translate: Translate, report: Report) -> None:
    """The risk on its scale, and the side of the cut-off; nothing without an answer."""
    result = report.result
    statement = report.statement
    if not statement.answered:
        return
    risk = sentences.risk_text(translate, statement)
    document.heading(f"{translate('result.risk.title')}: {risk}")
    _scale(document, translate, report)
    document.plain()
    document.line_of(
        f"{sentences.side_sentence(translate, statement, result)} "
        f"{sentences.prevalence_sentence(translate, result)}"
    )
    contrast = sentences.contrast_sentence(translate, statement, result)
    if contrast:
        document.line_of(contrast)
    document.plain(SMALL_PT, QUIET)
    notes = (
        sentences.interval_sentence(translate, result),
        sentences.cutoff_sentence(translate, result),
    )
    document.line_of(" ".join(filter(None, notes)), height=NOTE_LINE_MM)


def _scale(document: ReportDocument, translate: Translate, report: Report) -> None:
    """A bar from 0 to 100 %, filled up to the risk, with the risk's interval as a line in it, the
    cut-off above and the prevalence below.
    """
    width, height = SCALE_MM
    result = report.result
    left = document.l_margin + document.c_margin
    top = document.get_y() + 6
    document.set_draw_color(*QUIET)
    document.set_fill_color(*PALE)
    document.rect(left, top, width, height, style="DF")
    document.set_fill_color(*INK)
    document.rect(left, top, max(width * result.risk, 0.3), height, style="F")
    if result.risk_interval is not None:
        start, end = (left + width * share for share in result.risk_interval)
        document.set_fill_color(*QUIET)
        document.rect(start, top + height / 3, end - start, height / 3, style="F")
    cutoff = translate("result.risk.cutoff", cutoff=risk_percent(result.cutoff_risk))
    prevalence = sentences.prevalence_mark(translate, result)
    marks = (
        (cutoff, result.cutoff_risk, top - 2),
        (prevalence, result.prevalence, top + height + 5),
    )
    for text, share, baseline in marks:
        _mark(document, x=left + width * share, top=top, baseline=baseline, text=text)
    document.set_fill_color(*WHITE)
    document.set_y(top + height + 7)


def _mark(
    document: ReportDocument, *, x: float, top: float, baseline: float, text: str
) -> None:
    """A line across the bar at `x`, with its text on `baseline`."""
    document.line(x, top - 1.5, x, top + SCALE_MM[1] + 1.5)
    document.set_font(FONT, size=SMALL_PT)
    centred = x - document.get_string_width(text) / 2
    document.text(max(document.l_margin, centred), baseline, text)


def _warnings(document: ReportDocument, translate: Translate, report: Report) -> None:
    warnings = sentences.case_warnings(translate, report.result)
    if not warnings:
        return
    document.heading(translate("result.warnings.title"))
    document.plain()
    for warning in warnings:
        document.line_of(f"• {warning}")


def _reader_assessment(
    document: ReportDocument, translate: Translate, report: Report
) -> None:
    """The reader's descriptors, and the ACR advice for them; nothing without descriptors."""
    assessment = report.reader_assessment
    descriptors = report.case.descriptors
    if assessment is None or descriptors is None:
        return
    title = translate("lexicon.title")
    level = translate("lexicon.level", level=assessment.level, points=assessment.points)
    document.heading(f"{title}. {level}")
    document.plain()
    document.line_of(sentences.advice_sentence(translate, assessment.advice[0]))
    terms = sentences.described(translate, descriptors)
    document.line_of("; ".join(f"{name}: {term}" for name, term in terms))
    document.plain(SMALL_PT, QUIET)
    document.line_of(translate("lexicon.about"))


def _guidelines(document: ReportDocument, translate: Translate, report: Report) -> None:
    """Advice of each guideline by the risk, and beside it by the reader's descriptors if there are
    any; nothing without an answer.
    """
    if not report.statement.answered:
        return
    fna = report.result.fna
    by_risk = sentences.by_risk(fna)
    document.heading(translate("result.guidelines.title"))
    document.plain(SMALL_PT, QUIET)
    document.line_of(translate("result.guidelines.note"))
    if report.reader_assessment:
        _side_by_side(document, translate, fna, report.reader_assessment.advice)
        document.plain(SMALL_PT, QUIET)
        rules = [sentences.rule(translate, advice.rule) for advice in by_risk]
        document.line_of(". ".join(rules))
        return
    head = [
        translate(f"result.guidelines.{name}")
        for name in ("name", "level", "threshold", "advice")
    ]
    rows = [
        (
            sentences.rule(translate, advice.rule),
            sentences.level(translate, advice.level),
            sentences.threshold(translate, advice),
            sentences.advice_sentence(translate, advice),
        )
        for advice in by_risk
    ]
    document.grid(head, rows, (32, 18, 18, 60))


def _side_by_side(
    document: ReportDocument,
    translate: Translate,
    fna: FnaAdvice | None,
    reader_advice: Sequence[FnaAdvice],
) -> None:
    head = [
        translate(key)
        for key in ("result.guidelines.name", "lexicon.by_risk", "lexicon.by_reader")
    ]
    rows = [
        (name, _advice(translate, by_risk), _advice(translate, by_reader))
        for name, by_risk, by_reader in sentences.side_by_side(
            translate, fna, reader_advice
        )
    ]
    document.grid(head, rows, (24, 52, 52))


def _advice(translate: Translate, fna: FnaAdvice | None) -> str:
    if fna is None:
        return "–"
    return f"{sentences.level(translate, fna.level)}. {sentences.advice_sentence(translate, fna)}"


def _components(document: ReportDocument, translate: Translate, report: Report) -> None:
    """The components on the scale of the risk; nothing without an answer."""
    components = report.result.shown_components
    if not report.statement.answered or not components:
        return
    document.heading(translate("result.components.title"))
    head = [
        translate(f"result.components.{name}")
        for name in ("network", "classifier", "probability")
    ]
    rows = [
        (
            f"{component.network} {component.tap}",
            component.classifier,
            risk_percent(component.probability),
        )
        for component in components
    ]
    document.grid(head, rows, (60, 40, 25))


def _printed(translate: Translate, report: Report) -> str:
    printed = report.printed
    name = printed.person or translate("report.key", key=printed.key)
    time = in_hours_of(report.zone, printed.printed_at)
    return translate("report.printed", who=name, when=time)


def _page(translate: Translate) -> str:
    """The page number with its fields, which are filled when the page is complete."""
    return translate("report.page", page="{page}", pages="{pages}")


def _found_by(translate: Translate, report: Report) -> str:
    """Return the words for where a region comes from that was not given."""
    roi = report.result.roi
    is_network = roi is not None and roi.source is RoiSource.NETWORK
    return translate("report.roi-network" if is_network else "report.roi-calipers")


def _roi(translate: Translate, report: Report) -> str:
    roi = report.roi
    if roi is None:
        return translate("report.roi-none")
    if "box" in roi:
        x, y, width, height = (f"{number:g}" for number in roi["box"])
        box = translate("report.roi-box", x=x, y=y, width=width, height=height)
        return box if report.case.roi else f"{box} ({_found_by(translate, report)})"
    return translate("report.roi-polygon", points=len(roi["polygon"]))


def _outcome(translate: Translate, report: Report) -> str:
    outcome = report.outcome
    if outcome is None:
        return translate("result.outcome.unknown")
    return sentences.outcome(translate, outcome.malignant, outcome.source)


PARTS = (
    _head,
    _case,
    _statement,
    _reader_levels,
    _risk,
    _reader_assessment,
    _warnings,
    _guidelines,
    _components,
)
"""The parts of a report, from top to bottom."""
