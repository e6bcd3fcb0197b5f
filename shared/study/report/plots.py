"""Draws the figures of the report as SVG text.

Line styles and markers differ as well as colours, so the figures can be read in grey.
"""

from collections.abc import Sequence
from functools import partial
from itertools import cycle

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from shared.drawing import (
    BLACK,
    BLUE,
    GREEN,
    ORANGE,
    PURPLE,
    SKY,
    VERMILLION,
    WIDTH_INCHES,
    FigureBuilder,
    svg,
)
from shared.statistics import (
    BIOPSY_NONE,
    DecisionCurve,
    brier_score,
    calibration_curve,
    expected_calibration_error,
    roc_curve,
)
from shared.study.report.decision_curves import (
    model_decision_curves,
    superiority_sentence,
)
from shared.study.report.figures import (
    best_row_per_section,
    compute_figures,
    leading_row,
    rows_in_section,
)
from shared.study.results import Flags, Row, Scores, Section, Study

LINE_STYLES = (
    (BLUE, "--"),
    (ORANGE, "-."),
    (GREEN, ":"),
    (PURPLE, (0, (5, 1))),
    (SKY, (0, (3, 1, 1, 1))),
)
MARKERS = "osD^vPX*<>"
BINS = 20
MAX_NAME_LENGTH = 50

ROC_CAPTION = (
    "ROC curves from out-of-fold scores, with their AUC: the model, and the best judge of each "
    "table. People who decide are points, people who rate are points at their cut-off."
)
CALIBRATION_CAPTION = (
    "Calibration of the model: its stated risk, out of fold, against the share that was "
    "malignant, with Wilson's 95 % intervals; below, how many images each bar of risk holds. "
    "Brier score {brier:.3f}, expected calibration error {error:.3f}."
)
CONFUSION_CAPTION = (
    "What the model called benign and malignant, each image at a cut-off chosen on other "
    "folds."
)
DECISION_CURVE_CAPTION = (
    "Decision curve of the model: net benefit of a biopsy from each risk on, out of fold, with its "
    "95 % interval by patient, beside a biopsy of all nodules and of none. It counts malignant "
    "nodules found per 100, less the needless biopsies, each weighted by the odds of the threshold "
    "(Vickers & Elkin 2006). Above, at the share of malignant nodules in these images; below, at "
    "the share that is assumed until a hospital states its own. {findings}"
)
SCORES_CAPTION = (
    "How the model's out-of-fold scores lie for benign and malignant nodules."
)


def draw_all(study: Study) -> dict[str, tuple[str, str]]:
    """Draw every figure that the study has the data for; return SVG and caption by name."""
    row = leading_row(study)
    figures: dict[str, tuple[str, str]] = {}
    if best_row_per_section(study):
        roc = svg(name="roc", title="ROC curves", draw=_draw_roc(study))
        figures["roc"] = (roc, ROC_CAPTION)
    if row is None:
        return figures
    confusion = svg(
        name="confusion", title="Confusion matrix", draw=_draw_confusion(row, study)
    )
    figures["confusion"] = (confusion, CONFUSION_CAPTION)
    labels = study.malignant[row.judgement_mask]
    if row.risks is not None:
        risks = row.risks[row.judgement_mask]
        calibration = svg(
            name="calibration",
            title="Calibration",
            draw=_draw_calibration(risks, labels),
        )
        caption = CALIBRATION_CAPTION.format(
            brier=brier_score(risks, labels),
            error=expected_calibration_error(risks, labels),
        )
        figures["calibration"] = (calibration, caption)
    curves = model_decision_curves(study)
    if curves:
        decision_curve = svg(
            name="decision-curve",
            title="Decision curve",
            draw=_draw_decision_curves(curves),
        )
        findings = " ".join(map(superiority_sentence, curves))
        caption = DECISION_CURVE_CAPTION.format(findings=findings)
        figures["decision-curve"] = (decision_curve, caption)
    if row.scores is not None:
        histogram = svg(
            name="scores",
            title="Scores of benign and malignant nodules",
            draw=_draw_scores(row.scores[row.judgement_mask], labels),
        )
        figures["scores"] = (histogram, SCORES_CAPTION)
    return figures


def _draw_roc(study: Study) -> FigureBuilder:
    def draw() -> Figure:
        model = leading_row(study)
        rows = best_row_per_section(study)
        people = rows_in_section(study, Section.READERS)
        entries = len(rows) + len(people)
        figure = Figure((WIDTH_INCHES, 4.2 + 0.19 * entries), layout="constrained")
        axes = _square_axes(figure, x_label="1 − specificity", y_label="sensitivity")
        axes.plot([0, 1], [0, 1], color="0.75", lw=0.8)
        line_styles = cycle(LINE_STYLES)
        for row in sorted(rows, key=lambda row: row is not model):
            if row is model:
                _plot_roc(axes, row, study, colour=BLACK, dashes="-", width=2.2)
            else:
                colour, dashes = next(line_styles)
                _plot_roc(axes, row, study, colour=colour, dashes=dashes, width=1.5)
        for person, marker in zip(people, cycle(MARKERS), strict=False):
            _plot_person(axes, person, study, marker)
        figure.legend(loc="outside lower left", ncols=1, handlelength=3)
        return figure

    return draw


def _plot_roc(
    axes: Axes, row: Row, study: Study, *, colour: str, dashes: object, width: float
) -> None:
    area = compute_figures(row, study.malignant).area
    if row.scores is None or area is None:
        return
    mask = row.judgement_mask
    curve = roc_curve(row.scores[mask], study.malignant[mask])
    kind = "model" if row.section is Section.MODEL else row.section.value
    name = _shortened_name(f"{kind}: {row.name}")
    axes.plot(
        curve.false_positive_rate,
        curve.sensitivity,
        color=colour,
        ls=dashes,
        lw=width,
        label=f"{area.value:.3f}  {name}",
    )


def _plot_person(axes: Axes, person: Row, study: Study, marker: str) -> None:
    table = compute_figures(person, study.malignant).table
    axes.plot(
        [1 - table.specificity],
        [table.sensitivity],
        color=VERMILLION,
        ls="none",
        marker=marker,
        ms=7,
        mec="white",
        zorder=4,
        label=_shortened_name(f"person: {person.name}"),
    )


def _draw_calibration(risks: Scores, malignant: Flags) -> FigureBuilder:
    def draw() -> Figure:
        figure = Figure((WIDTH_INCHES, 4.9), layout="constrained")
        curve_axes, count_axes = figure.subplots(
            2, 1, sharex=True, height_ratios=(4, 1)
        )
        curve_axes.plot([0, 1], [0, 1], color="0.75", lw=0.8)
        bins = calibration_curve(risks, malignant)
        observed = [calibration_bin.observed for calibration_bin in bins]
        lows = [calibration_bin.interval.low for calibration_bin in bins]
        highs = [calibration_bin.interval.high for calibration_bin in bins]
        error_bars = [np.subtract(observed, lows), np.subtract(highs, observed)]
        curve_axes.errorbar(
            [calibration_bin.mean_probability for calibration_bin in bins],
            observed,
            yerr=np.maximum(error_bars, 0),
            color=BLUE,
            ecolor=SKY,
            marker="o",
            ms=5,
            lw=1.2,
            capsize=2,
        )
        curve_axes.set(ylabel="share malignant", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
        count_axes.hist(risks, bins=np.linspace(0, 1, BINS + 1), color=BLUE)
        count_axes.set(xlabel="stated risk of malignancy", ylabel="images")
        return figure

    return draw


def _draw_decision_curves(curves: Sequence[DecisionCurve]) -> FigureBuilder:
    def draw() -> Figure:
        figure = Figure((WIDTH_INCHES, 3.0 * len(curves)), layout="constrained")
        all_axes = figure.subplots(len(curves), 1, sharex=True, squeeze=False)[:, 0]
        for axes, curve in zip(all_axes, curves, strict=True):
            _plot_decision_curve(axes, curve)
        all_axes[-1].set_xlabel("risk from which on a biopsy is made, %")
        handles, labels = all_axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", ncols=3)
        return figure

    return draw


def _plot_decision_curve(axes: Axes, curve: DecisionCurve) -> None:
    """Draw one curve in per cent.

    The axis ends a little below zero, where nobody would follow a curve.
    """
    thresholds = 100 * curve.threshold
    axes.fill_between(
        thresholds, 100 * curve.low, 100 * curve.high, color=SKY, alpha=0.35, lw=0
    )
    axes.plot(thresholds, 100 * curve.net_benefit, color=BLACK, lw=2, label="the model")
    axes.plot(
        thresholds, 100 * curve.biopsy_all, color=BLUE, ls="--", label="biopsy all"
    )
    axes.axhline(100 * BIOPSY_NONE, color=VERMILLION, ls=":", label="biopsy none")
    highest = 100 * max(curve.high.max(), curve.biopsy_all.max())
    axes.set(
        ylabel="net benefit per 100",
        title=f"{100 * curve.prevalence:.0f} % malignant",
        xlim=(0, thresholds.max()),
        ylim=(-0.15 * highest, 1.05 * highest),
    )


def _draw_confusion(row: Row, study: Study) -> FigureBuilder:
    def draw() -> Figure:
        table = compute_figures(row, study.malignant).table
        figure = Figure((WIDTH_INCHES, 3.6), layout="constrained")
        axes = figure.subplots()
        _draw_table_line(axes, line=0, counts=(table.tp, table.fn))
        _draw_table_line(axes, line=1, counts=(table.fp, table.tn))
        axes.set(
            xlim=(0, 2),
            ylim=(2, 0),
            xticks=(0.5, 1.5),
            yticks=(0.5, 1.5),
            xlabel="called",
            ylabel="confirmed",
        )
        axes.set_xticklabels(("malignant", "benign"))
        axes.set_yticklabels(("malignant", "benign"), rotation=90, va="center")
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        return figure

    return draw


def _draw_table_line(axes: Axes, *, line: int, counts: Sequence[int]) -> None:
    total = sum(counts)
    for column, count in enumerate(counts):
        _draw_table_cell(axes, column=column, line=line, count=count, total=total)


def _draw_table_cell(
    axes: Axes, *, column: int, line: int, count: int, total: int
) -> None:
    share = count / total if total else 0.0
    axes.add_patch(
        Rectangle(
            (column, line),
            width=1,
            height=1,
            facecolor=BLUE,
            alpha=0.08 + 0.82 * share,
            edgecolor="white",
            lw=3,
        )
    )
    axes.text(
        column + 0.5,
        line + 0.5,
        f"{count}\n{100 * share:.0f} % of {total}",
        ha="center",
        va="center",
        color="white" if share > 0.5 else BLACK,
    )


def _draw_scores(scores: Scores, malignant: Flags) -> FigureBuilder:
    def draw() -> Figure:
        figure = Figure((WIDTH_INCHES, 3.4), layout="constrained")
        axes = figure.subplots()
        low = float(scores.min())
        high = float(scores.max())
        edges = np.linspace(low, high if high > low else low + 1, BINS + 1)
        draw_histogram = partial(
            axes.hist, bins=edges.tolist(), alpha=0.55, edgecolor="white", lw=0.5
        )
        benign_scores = scores[~malignant]
        malignant_scores = scores[malignant]
        draw_histogram(
            benign_scores, color=BLUE, label=f"benign ({benign_scores.size})"
        )
        draw_histogram(
            malignant_scores,
            color=VERMILLION,
            hatch="///",
            label=f"malignant ({malignant_scores.size})",
        )
        axes.set(xlabel="score, out of fold", ylabel="images")
        figure.legend(loc="outside upper left", ncols=2)
        return figure

    return draw


def _square_axes(figure: Figure, *, x_label: str, y_label: str) -> Axes:
    axes = figure.subplots()
    axes.set(
        xlabel=x_label,
        ylabel=y_label,
        xlim=(-0.01, 1.01),
        ylim=(-0.01, 1.01),
        aspect="equal",
    )
    return axes


def _shortened_name(name: str) -> str:
    if len(name) <= MAX_NAME_LENGTH:
        return name
    return f"{name[: MAX_NAME_LENGTH - 1]}…"
