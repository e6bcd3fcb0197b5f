"""The report's figures as SVG text; line styles and markers tell in grey what their colours tell."""

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
    brier_score,
    calibration_curve,
    expected_calibration_error,
    roc_curve,
)
from shared.study.report.figures import best_row_per_section, rows_in_section, leading_row, compute_figures
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


def draw_all(study: Study) -> dict[str, tuple[str, str]]:
    """Name -> SVG and caption, of every figure that the study has the numbers for."""
    row = leading_row(study)
    drawn = (
        {"roc": (svg("roc", "ROC curves", _draw_roc(study)), ROC)}
        if best_row_per_section(study)
        else {}
    )
    if row is None:
        return drawn
    truth = study.malignant[row.judgement_mask]
    drawn["confusion"] = (
        svg("confusion", "Confusion matrix", _draw_confusion(row, study)),
        CONFUSION,
    )
    if row.risks is not None:
        risks = row.risks[row.judgement_mask]
        caption = CALIBRATION.format(
            brier=brier_score(risks, truth), error=expected_calibration_error(risks, truth)
        )
        drawn["calibration"] = (
            svg("calibration", "Calibration", _draw_calibration(risks, truth)),
            caption,
        )
    if row.scores is not None:
        scores = row.scores[row.judgement_mask]
        drawn["scores"] = (
            svg(
                "scores",
                "Scores of benign and malignant nodules",
                _draw_scores(scores, truth),
            ),
            SCORES,
        )
    return drawn


ROC = (
    "ROC curves from out-of-fold scores, with their AUC: the model, and the best judge of each table. People who "
    "decide are points, people who rate are points at their cut-off."
)
CALIBRATION = (
    "Calibration of the model: its stated risk, out of fold, against the share that was malignant, with Wilson's 95 % "
    "intervals; below, how many images each bar of risk holds. Brier score {brier:.3f}, expected calibration error "
    "{error:.3f}."
)
CONFUSION = "What the model called benign and malignant, each image at a cut-off chosen on other folds."
SCORES = "How the model's out-of-fold scores lie for benign and malignant nodules."


def _draw_roc(study: Study) -> FigureBuilder:
    def draw() -> Figure:
        model = leading_row(study)
        others = best_row_per_section(study)
        people = rows_in_section(study, Section.READERS)
        entries = len(others) + len(people)
        figure = Figure((WIDTH_INCHES, 4.2 + 0.19 * entries), layout="constrained")
        axes = _square(figure, "1 − specificity", "sensitivity")
        axes.plot([0, 1], [0, 1], color="0.75", lw=0.8)
        styles = cycle(LINE_STYLES)
        for row in sorted(others, key=lambda row: row is not model):
            colour, dashes = (BLACK, "-") if row is model else next(styles)
            _plot_roc(
                axes, row, study, colour, dashes, width=2.2 if row is model else 1.5
            )
        for person, marker in zip(people, cycle(MARKERS), strict=False):
            _plot_person(axes, person, study, marker)
        figure.legend(loc="outside lower left", ncols=1, handlelength=3)
        return figure

    return draw


def _plot_roc(
    axes: Axes, row: Row, study: Study, colour: str, dashes: object, width: float
) -> None:
    area = compute_figures(row, study.malignant).area
    if row.scores is None or area is None:
        return
    curve = roc_curve(row.scores[row.judgement_mask], study.malignant[row.judgement_mask])
    kind = "model" if row.section is Section.MODEL else row.section.value
    label = f"{area.value:.3f}  {_shortened(f'{kind}: {row.name}')}"
    axes.plot(
        curve.false_positive_rate,
        curve.sensitivity,
        color=colour,
        ls=dashes,
        lw=width,
        label=label,
    )


def _plot_person(axes: Axes, person: Row, study: Study, marker: str) -> None:
    table = compute_figures(person, study.malignant).table
    label = _shortened(f"person: {person.name}")
    axes.plot(
        [1 - table.specificity],
        [table.sensitivity],
        color=VERMILLION,
        ls="none",
        marker=marker,
        ms=7,
        mec="white",
        zorder=4,
        label=label,
    )


def _draw_calibration(risks: Scores, malignant: Flags) -> FigureBuilder:
    def draw() -> Figure:
        figure = Figure((WIDTH_INCHES, 4.9), layout="constrained")
        axes, below = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
        axes.plot([0, 1], [0, 1], color="0.75", lw=0.8)
        bins = calibration_curve(risks, malignant)
        stated = [part.mean_probability for part in bins]
        seen = [part.observed for part in bins]
        reach = [
            [part.observed - part.interval.low for part in bins],
            [part.interval.high - part.observed for part in bins],
        ]
        axes.errorbar(
            stated,
            seen,
            yerr=np.maximum(reach, 0),
            color=BLUE,
            ecolor=SKY,
            marker="o",
            ms=5,
            lw=1.2,
            capsize=2,
        )
        axes.set(ylabel="share malignant", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
        below.hist(risks, bins=np.linspace(0, 1, BINS + 1), color=BLUE)
        below.set(xlabel="stated risk of malignancy", ylabel="images")
        return figure

    return draw


def _draw_confusion(row: Row, study: Study) -> FigureBuilder:
    def draw() -> Figure:
        table = compute_figures(row, study.malignant).table
        figure = Figure((WIDTH_INCHES, 3.6), layout="constrained")
        axes = figure.subplots()
        for line, counts in enumerate(((table.tp, table.fn), (table.fp, table.tn))):
            for column, count in enumerate(counts):
                _square_of_counts(axes, column, line, count, sum(counts))
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


def _square_of_counts(
    axes: Axes, column: int, line: int, count: int, total: int
) -> None:
    share = count / total if total else 0.0
    axes.add_patch(
        Rectangle(
            (column, line),
            1,
            1,
            facecolor=BLUE,
            alpha=0.08 + 0.82 * share,
            edgecolor="white",
            lw=3,
        )
    )
    told = f"{count}\n{100 * share:.0f} % of {total}"
    axes.text(
        column + 0.5,
        line + 0.5,
        told,
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
        bars = partial(
            axes.hist, bins=edges.tolist(), alpha=0.55, edgecolor="white", lw=0.5
        )
        benign = f"benign ({int((~malignant).sum())})"
        bars(scores[~malignant], color=BLUE, label=benign)
        positive = f"malignant ({int(malignant.sum())})"
        bars(scores[malignant], color=VERMILLION, hatch="///", label=positive)
        axes.set(xlabel="score, out of fold", ylabel="images")
        figure.legend(loc="outside upper left", ncols=2)
        return figure

    return draw


def _square(figure: Figure, across: str, up: str) -> Axes:
    axes = figure.subplots()
    axes.set(
        xlabel=across, ylabel=up, xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal"
    )
    return axes


def _shortened(name: str) -> str:
    return name if len(name) <= MAX_NAME_LENGTH else f"{name[: MAX_NAME_LENGTH - 1]}…"
