"""A study as tables: what a page shows, and the same as records for a CSV file."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

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
    rows_in_section,
    leading_row,
    compute_figures,
)
from shared.study.report.wording import (
    SECTION_DESCRIPTIONS,
    EMPTY_MARK,
    SECTION_TITLES,
    format_auc,
    format_auc_interval,
    format_percent,
    format_percent_interval,
    file_stem,
)
from shared.study.results import Row, Section, Study

Value = str | int | float | None
Record = Mapping[str, Value]
INTERVAL_NAMES = {IntervalMethod.LOGIT_WALD: "logit", IntervalMethod.WILSON: "Wilson"}
MEASURE_LABELS = dict(
    zip(MEASURES, ("accuracy", "sensitivity", "specificity", "PPV", "NPV"), strict=True)
)
INTERVAL_SUFFIXES = ("", "_logit_wald_low", "_logit_wald_high", "_wilson_low", "_wilson_high")
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
FIGURE_COLUMNS = (*COUNTS, *(f"{rate}{end}" for rate in MEASURES for end in INTERVAL_SUFFIXES))
UNKNOWN_SITE = "(not named)"
READING_GUIDE = (
    "n: images judged, and how many of them are malignant.",
    "AUC: area under the ROC curve of out-of-fold scores, with DeLong's 95 % interval: of no width where the AUC is 1.",
    "Accuracy, sensitivity, specificity, PPV and NPV are in per cent, malignant being the positive class, each image "
    "at a cut-off (Youden's) chosen on other folds; people decide for themselves.",
    "Below each rate stand its 95 % intervals: logit = Wald on the logit scale, as Lee et al. print it; Wilson = score "
    "interval.",
    "PPV and NPV hold at the share of malignant images in this study.",
    "A highlighted row has the greatest AUC of its table; the best of many looks better than it is.",
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
    """`name` is the CSV file's stem; `rows` are shown under `head`, `records` written under `columns`.

    `marked` is the number of the row to point out, such as the best.
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
    """RFC 4180, UTF-8; fractions with six significant digits, nothing where there is nothing."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(table.columns)
    writer.writerows(
        [_plain(record.get(column)) for column in table.columns]
        for record in table.records
    )
    return out.getvalue().encode()


def section_table(study: Study, section: Section) -> Table:
    """All judges of a section, in the study's order."""
    rows = rows_in_section(study, section)
    found = [compute_figures(row, study.malignant) for row in rows]
    top = best_row(rows, study.malignant) if len(rows) > 1 else None
    columns = tuple(dict.fromkeys(column for row in rows for column in row.facts))
    return Table(
        name=file_stem(section),
        title=SECTION_TITLES[section],
        legend=SECTION_DESCRIPTIONS[section],
        head=("judge", "n", "AUC", *MEASURE_LABELS.values()),
        rows=tuple(
            (_judge(row), *_cells(figures))
            for row, figures in zip(rows, found, strict=True)
        ),
        columns=("name", *columns, *FIGURE_COLUMNS),
        records=tuple(
            {"name": row.name, **row.facts, **_record(figures)}
            for row, figures in zip(rows, found, strict=True)
        ),
        highlighted_row=None if top is None else rows.index(top),
    )


def site_table(study: Study) -> Table:
    """The model's figures at each site; without a row where no image names one."""
    row = leading_row(study)
    found = (
        []
        if row is None or not study.sites.astype(bool).any()
        else _by_site(study, row)
    )
    name = "The model" if row is None else row.name
    return Table(
        name="sites",
        title="The model at each site",
        legend=f"{name}, with the cut-offs it has in the other tables: none was chosen for a site.",
        head=("site", "n", "AUC", *MEASURE_LABELS.values()),
        rows=tuple(
            (Cell(site, numeric=False), *_cells(figures)) for site, figures in found
        ),
        columns=("site", *FIGURE_COLUMNS),
        records=tuple({"site": site, **_record(figures)} for site, figures in found),
    )


def missing_rows_table(study: Study) -> Table:
    """Cells that could not be filled, and why."""
    return _plain_table(
        "left_out",
        "Cells left out",
        "Rows that the recipe asks for and that could not be made, each with the reason.",
        ("table", "row", "reason"),
        [(SECTION_TITLES[cell.section], cell.name, cell.problem) for cell in study.missing_rows],
    )


def skipped_table(study: Study, names: Mapping[str, str]) -> Table:
    """Images that could not be read; `names` gives the image of a sample's key."""
    return _plain_table(
        "skipped",
        "Images skipped",
        "Images that could not be read, and the code of the error.",
        ("image", "problem"),
        [
            (names.get(skipped.key, skipped.key), skipped.code)
            for skipped in study.skipped
        ],
    )


def settings_table(study: Study) -> Table:
    """What was chosen for each judge."""
    chosen = [
        (judge, name, _told(value))
        for judge, settings in study.settings.items()
        for name, value in settings.items()
    ]
    return _plain_table(
        "settings",
        "What was chosen",
        "Settings chosen inside the training folds, by cross-validation; in brackets, in how many folds.",
        ("judge", "setting", "value"),
        chosen,
    )


def scores_table(study: Study) -> Table:
    """Per image what every judge said out of fold; for CSV only, it can have thousands of lines."""
    columns = {f"{row.section}: {row.name}": _said(row) for row in study.rows}
    risks = {
        f"risk by {row.section}: {row.name}": row.risks
        for row in study.rows
        if row.risks is not None
    }
    base = ("image", "malignant", "group", "site")
    records = [
        {
            **dict(zip(base, facts, strict=True)),
            **{name: said[place] for name, said in columns.items()},
            **{name: risk[place].item() for name, risk in risks.items()},
        }
        for place, facts in enumerate(
            zip(
                study.images,
                map(int, study.malignant),
                map(str, study.groups),
                map(str, study.sites),
                strict=True,
            )
        )
    ]
    names = (*base, *columns, *risks)
    return Table("scores", "Scores of every image", "", (), (), names, tuple(records))


def rate_cell(part: Proportion) -> Cell:
    """A rate in per cent over its two intervals."""
    notes = (
        f"{name} {format_percent_interval(part.interval(method))}"
        for method, name in INTERVAL_NAMES.items()
    )
    return Cell(format_percent(part.value), tuple(notes) if part.total else ())


def area_cell(figures: Figures) -> Cell:
    if figures.area is None:
        return Cell(EMPTY_MARK)
    interval = figures.area.interval
    return Cell(
        format_auc(figures.area.value), (format_auc_interval(interval),) if interval else ()
    )


def _cells(figures: Figures) -> tuple[Cell, ...]:
    counts = Cell(str(figures.images), (f"{figures.malignant} malignant",))
    return (
        counts,
        area_cell(figures),
        *(rate_cell(figures.proportion(rate)) for rate in MEASURES),
    )


def _record(figures: Figures) -> dict[str, Value]:
    table = figures.table
    found = figures.area
    record: dict[str, Value] = {"n": figures.images, "malignant": figures.malignant}
    record |= {"tp": table.tp, "fn": table.fn, "fp": table.fp, "tn": table.tn}
    if found:
        record["auc"] = found.value
        record |= _ends("auc_delong", found.interval) if found.interval else {}
    for rate in MEASURES:
        part = figures.proportion(rate)
        record[rate] = part.value
        for method in IntervalMethod:
            record |= (
                _ends(f"{rate}_{method.replace('-', '_')}", part.interval(method))
                if part.total
                else {}
            )
    return record


def _ends(name: str, interval: Interval) -> dict[str, float]:
    return {f"{name}_low": interval.low, f"{name}_high": interval.high}


def _judge(row: Row) -> Cell:
    facts = " · ".join(
        f"{column}: {told}" for column, told in row.facts.items() if told
    )
    return Cell(row.name, (facts,) if facts else (), numeric=False)


def _by_site(study: Study, row: Row) -> list[tuple[str, Figures]]:
    kept = row.judgement_mask
    sites = np.where(study.sites == "", UNKNOWN_SITE, study.sites)[kept]
    scores = None if row.scores is None else row.scores[kept]
    by_site = rates_by_site(sites, row.decisions[kept], study.malignant[kept], scores)
    return [(site.site, _at_site(site)) for site in by_site]


def _at_site(site: SiteRates) -> Figures:
    found = Area(site.auc.value, site.auc.interval) if site.auc else None
    return Figures(site.cases, site.malignant, site.table, found)


def _said(row: Row) -> list[Value]:
    """A score, or a call of 0 or 1 for who gives none; None where not judged."""
    values = row.decisions.astype(int) if row.scores is None else row.scores
    return [
        value.item() if judged else None
        for value, judged in zip(values, row.judgement_mask, strict=True)
    ]


def _plain_table(
    name: str,
    title: str,
    legend: str,
    head: tuple[str, ...],
    lines: Sequence[Sequence[str]],
) -> Table:
    rows = tuple(tuple(Cell(text, numeric=False) for text in line) for line in lines)
    return Table(
        name,
        title,
        legend,
        head,
        rows,
        head,
        tuple(dict(zip(head, line, strict=True)) for line in lines),
    )


def _told(value: object) -> str:
    if isinstance(value, Iterable) and not isinstance(value, str | Mapping):
        return ", ".join(map(_told, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _plain(value: Value) -> str:
    if value is None or value != value:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)
