"""The tables of a study: cells for the page, and the same values as records for CSV files."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from shared.domain.spreadsheets import spreadsheet_text
from shared.statistics import (
    Interval,
    IntervalMethod,
    Proportion,
    SiteRates,
    rates_by_site,
)
from shared.study.report.figures import (
    MEASURES,
    Area,
    Figures,
    best_row,
    compute_figures,
    leading_row,
    rows_in_section,
)
from shared.study.report.wording import (
    EMPTY_MARK,
    SECTION_DESCRIPTIONS,
    SECTION_TITLES,
    file_stem,
    format_auc,
    format_auc_interval,
    format_percent,
    format_percent_interval,
)
from shared.study.results import Row, Section, Study

Value = str | int | float | None
Record = Mapping[str, Value]
INTERVAL_NAMES = {IntervalMethod.LOGIT_WALD: "logit", IntervalMethod.WILSON: "Wilson"}
MEASURE_LABELS = dict(
    zip(MEASURES, ("accuracy", "sensitivity", "specificity", "PPV", "NPV"), strict=True)
)
INTERVAL_SUFFIXES = (
    "",
    "_logit_wald_low",
    "_logit_wald_high",
    "_wilson_low",
    "_wilson_high",
)
COUNTS = (
    "n",
    "malignant",
    "tp",
    "fn",
    "fp",
    "tn",
    "auc",
    "auc_delong_low",
    "auc_delong_high",
)
FIGURE_COLUMNS = (
    *COUNTS,
    *(f"{rate}{end}" for rate in MEASURES for end in INTERVAL_SUFFIXES),
)
UNKNOWN_SITE = "(not named)"
READING_GUIDE = (
    "n: images judged, and how many of them are malignant.",
    "AUC: area under the ROC curve of out-of-fold scores, with DeLong's 95 % interval: of no width "
    "where the AUC is 1.",
    "Accuracy, sensitivity, specificity, PPV and NPV are in per cent, malignant being the positive "
    "class, each image at a cut-off (Youden's) chosen on other folds; people decide for "
    "themselves.",
    "Below each rate stand its 95 % intervals: logit = Wald on the logit scale, as Lee et al. "
    "print it; Wilson = score interval.",
    "PPV and NPV hold at the share of malignant images in this study.",
    "A highlighted row has the greatest AUC of its table; the best of many looks better than it "
    "is.",
    "– stands where there is nothing to tell: no score, or no image to count.",
)


@dataclass(frozen=True)
class Cell:
    """A figure or a name, and smaller lines below it."""

    text: str
    notes: tuple[str, ...] = ()
    numeric: bool = True


@dataclass(frozen=True)
class Table:
    """A table of the report.

    Attributes
    ----------
    name : stem of the CSV file
    head, rows : the table on the page
    columns, records : the same values for the CSV file
    highlighted_row : index of the row to highlight, such as the best row
    """

    name: str
    title: str
    legend: str
    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    columns: tuple[str, ...]
    records: tuple[Record, ...]
    highlighted_row: int | None = None


def csv_bytes(table: Table) -> bytes:
    """Return the CSV file: RFC 4180, UTF-8, six significant digits, missing values empty."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(table.columns)
    for record in table.records:
        writer.writerow([_csv_text(record.get(column)) for column in table.columns])
    return file.getvalue().encode()


def section_table(study: Study, section: Section) -> Table:
    """Return all judges of a section, in the study's order."""
    rows = rows_in_section(study, section)
    figures_of_rows = [compute_figures(row, study.malignant) for row in rows]
    highlighted_row = None
    if len(rows) > 1:
        best = best_row(rows, study.malignant)
        highlighted_row = None if best is None else rows.index(best)
    fact_columns = tuple(dict.fromkeys(column for row in rows for column in row.facts))
    cells = []
    records = []
    for row, figures in zip(rows, figures_of_rows, strict=True):
        cells.append((_judge_cell(row), *_figure_cells(figures)))
        records.append({"name": row.name, **row.facts, **_figure_record(figures)})
    return Table(
        name=file_stem(section),
        title=SECTION_TITLES[section],
        legend=SECTION_DESCRIPTIONS[section],
        head=("judge", "n", "AUC", *MEASURE_LABELS.values()),
        rows=tuple(cells),
        columns=("name", *fact_columns, *FIGURE_COLUMNS),
        records=tuple(records),
        highlighted_row=highlighted_row,
    )


def site_table(study: Study) -> Table:
    """Return the model's figures at each site. The table is empty if no image names a site."""
    row = leading_row(study)
    figures_by_site: dict[str, Figures] = {}
    if row is not None and study.sites.astype(bool).any():
        figures_by_site = _figures_by_site(study, row)
    name = "The model" if row is None else row.name
    return Table(
        name="sites",
        title="The model at each site",
        legend=f"{name}, with the cut-offs it has in the other tables: none was chosen for a site.",
        head=("site", "n", "AUC", *MEASURE_LABELS.values()),
        rows=tuple(
            (Cell(site, numeric=False), *_figure_cells(figures))
            for site, figures in figures_by_site.items()
        ),
        columns=("site", *FIGURE_COLUMNS),
        records=tuple(
            {"site": site, **_figure_record(figures)}
            for site, figures in figures_by_site.items()
        ),
    )


def missing_rows_table(study: Study) -> Table:
    """List the rows that could not be computed, with the reasons."""
    return _text_table(
        name="left_out",
        title="Cells left out",
        legend="Rows that the recipe asks for and that could not be made, each with the reason.",
        head=("table", "row", "reason"),
        lines=[
            (SECTION_TITLES[row.section], row.name, row.reason)
            for row in study.missing_rows
        ],
    )


def skipped_table(study: Study, names: Mapping[str, str]) -> Table:
    """List the images that could not be read.

    `names` maps a sample's key to the name of its image.
    """
    return _text_table(
        name="skipped",
        title="Images skipped",
        legend="Images that could not be read, and the code of the error.",
        head=("image", "problem"),
        lines=[
            (names.get(skipped.key, skipped.key), skipped.code)
            for skipped in study.skipped
        ],
    )


def settings_table(study: Study) -> Table:
    """Return the settings that were chosen for each judge."""
    lines = []
    for judge, settings in study.settings.items():
        for name, value in settings.items():
            lines.append((judge, name, _setting_text(value)))
    return _text_table(
        name="settings",
        title="What was chosen",
        legend="Settings chosen inside the training folds, by cross-validation; in brackets, in "
        "how many folds.",
        head=("judge", "setting", "value"),
        lines=lines,
    )


def scores_table(study: Study) -> Table:
    """Return the out-of-fold values of every judge for each image.

    The table is for CSV only, since it can have thousands of lines.
    """
    columns: dict[str, list[Value]] = {
        "image": list(study.images),
        "malignant": list(map(int, study.malignant)),
        "group": list(map(str, study.groups)),
        "site": list(map(str, study.sites)),
    }
    for row in study.rows:
        columns[f"{row.section}: {row.name}"] = _judge_values(row)
    for row in study.rows:
        if row.risks is not None:
            columns[f"risk by {row.section}: {row.name}"] = row.risks.tolist()
    records = [
        dict(zip(columns, values, strict=True))
        for values in zip(*columns.values(), strict=True)
    ]
    return Table(
        name="scores",
        title="Scores of every image",
        legend="",
        head=(),
        rows=(),
        columns=tuple(columns),
        records=tuple(records),
    )


def rate_cell(proportion: Proportion) -> Cell:
    """Return a rate in per cent over its two intervals."""
    notes = []
    if proportion.total:
        for method, name in INTERVAL_NAMES.items():
            interval = format_percent_interval(proportion.interval(method))
            notes.append(f"{name} {interval}")
    return Cell(format_percent(proportion.value), tuple(notes))


def auc_cell(figures: Figures) -> Cell:
    if figures.area is None:
        return Cell(EMPTY_MARK)
    notes: tuple[str, ...] = ()
    if figures.area.interval:
        notes = (format_auc_interval(figures.area.interval),)
    return Cell(format_auc(figures.area.value), notes)


def _figure_cells(figures: Figures) -> tuple[Cell, ...]:
    return (
        Cell(str(figures.images), (f"{figures.malignant} malignant",)),
        auc_cell(figures),
        *(rate_cell(figures.proportion(rate)) for rate in MEASURES),
    )


def _figure_record(figures: Figures) -> dict[str, Value]:
    table = figures.table
    record: dict[str, Value] = {
        "n": figures.images,
        "malignant": figures.malignant,
        "tp": table.tp,
        "fn": table.fn,
        "fp": table.fp,
        "tn": table.tn,
    }
    if figures.area:
        record["auc"] = figures.area.value
        if figures.area.interval:
            record |= _interval_record("auc_delong", figures.area.interval)
    for rate in MEASURES:
        proportion = figures.proportion(rate)
        record[rate] = proportion.value
        if not proportion.total:
            continue
        for method in IntervalMethod:
            column = f"{rate}_{method.replace('-', '_')}"
            record |= _interval_record(column, proportion.interval(method))
    return record


def _interval_record(column: str, interval: Interval) -> dict[str, float]:
    return {f"{column}_low": interval.low, f"{column}_high": interval.high}


def _judge_cell(row: Row) -> Cell:
    facts = [f"{column}: {text}" for column, text in row.facts.items() if text]
    notes = (" · ".join(facts),) if facts else ()
    return Cell(row.name, notes, numeric=False)


def _figures_by_site(study: Study, row: Row) -> dict[str, Figures]:
    mask = row.judgement_mask
    sites = np.where(study.sites == "", UNKNOWN_SITE, study.sites)
    site_rows = rates_by_site(
        sites[mask],
        decisions=row.decisions[mask],
        labels=study.malignant[mask],
        scores=None if row.scores is None else row.scores[mask],
    )
    return {site_rates.site: _site_figures(site_rates) for site_rates in site_rows}


def _site_figures(site_rates: SiteRates) -> Figures:
    area = None
    if site_rates.auc:
        area = Area(value=site_rates.auc.value, interval=site_rates.auc.interval)
    return Figures(
        images=site_rates.cases,
        malignant=site_rates.malignant,
        table=site_rates.table,
        area=area,
    )


def _judge_values(row: Row) -> list[Value]:
    """Return the scores (N,), or decisions of 0 or 1 if there are no scores.

    The value of an image that was not judged is None.
    """
    values = row.decisions.astype(int) if row.scores is None else row.scores
    return [
        value.item() if is_judged else None
        for value, is_judged in zip(values, row.judgement_mask, strict=True)
    ]


def _text_table(
    *,
    name: str,
    title: str,
    legend: str,
    head: tuple[str, ...],
    lines: Sequence[Sequence[str]],
) -> Table:
    rows = [tuple(Cell(text, numeric=False) for text in line) for line in lines]
    records = [dict(zip(head, line, strict=True)) for line in lines]
    return Table(
        name=name,
        title=title,
        legend=legend,
        head=head,
        rows=tuple(rows),
        columns=head,
        records=tuple(records),
    )


def _setting_text(value: object) -> str:
    if isinstance(value, Iterable) and not isinstance(value, str | Mapping):
        return ", ".join(map(_setting_text, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _csv_text(value: Value) -> str:
    if value is None or value != value:
        return ""
    if isinstance(value, str):
        return spreadsheet_text(value)
    return f"{value:.6g}" if isinstance(value, float) else str(value)
