"""The table of the sites: judged by a model of the others, beside the cross-validation."""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import logit

from shared.statistics import (
    IntervalMethod,
    Measure,
    Proportion,
    Sigmoid,
    fit_sigmoid,
    roc_auc,
)
from shared.statistics.discrimination.site_areas import measure_site_areas
from shared.study.report.figures import Area, compute_figures, leading_row
from shared.study.report.tables import Cell, Record, Table, Value, rate_cell
from shared.study.report.wording import EMPTY_MARK, format_auc, format_auc_interval
from shared.study.results import Flags, Row, Study

RATES = (Measure.SENSITIVITY, Measure.SPECIFICITY)
ALL_SITES = "all sites"
RISK_MARGIN = 1e-6
"""Minimum distance of a risk from 0 and 1, so that its log-odds are finite."""
SIDES = ("left_out", "cross_validated")
LEGEND = (
    "Left out: the recipe's model is fitted on all other sites, where its settings, its weights, "
    "its calibration and its cut-off are chosen too, and judges this site, of which it has seen "
    "nothing. Cross-validated: the same images judged by fits that saw other patients of this "
    "site; this is what the other tables show. AUC has 95 % intervals by patient (Obuchowski "
    "1997). AUC of all sites compares images of the same site only, because models of different "
    "sites share no scale: the mean of the sites' AUCs, weighted by their pairs; 'pooled' takes "
    "all scores together. Slope and intercept: logistic calibration of the stated risks at the "
    "site; 1 and 0 are perfect. The risks hold for the other sites' share of malignant images, so "
    "a site with another share has another intercept."
)


@dataclass(frozen=True, eq=False)
class _Judgement:
    """A row of the study at some of its images; `malignant` and `sites` are (M,)."""

    malignant: Flags
    sites: np.ndarray
    row: Row
    area: Area | None

    @classmethod
    def of(cls, study: Study, row: Row, mask: Flags) -> "_Judgement":
        """Return the judgements of a row that judged all images of the mask (N,)."""
        part = Row(
            section=row.section,
            name=row.name,
            facts=row.facts,
            decisions=row.decisions[mask],
            scores=None if row.scores is None else row.scores[mask],
            risks=None if row.risks is None else row.risks[mask],
            judgement_mask=np.ones(int(mask.sum()), bool),
        )
        return cls(
            malignant=study.malignant[mask],
            sites=study.sites[mask],
            row=part,
            area=_area(study, row, mask),
        )

    def rate(self, measure: Measure) -> Proportion:
        return compute_figures(self.row, self.malignant).proportion(measure)


def sites_out_table(study: Study) -> Table:
    """Return the table; it is empty with fewer than two sites."""
    cells: list[tuple[Cell, ...]] = []
    records: list[Record] = []
    for site, mask in masks_by_site(study).items():
        sides = _sides(study, mask)
        cells.append(_cells(site, sides))
        records.append(_record(site, sides))
    if study.sites_out is not None:
        for site, problem in study.sites_out.problems.items():
            empty = (Cell(EMPTY_MARK),) * (len(_head()) - 1)
            cells.append((Cell(site, (problem,), numeric=False), *empty))
            records.append({"site": site, "problem": problem})
    return Table(
        name="sites_out",
        title="The model at a site that it has not seen",
        legend=LEGEND,
        head=_head(),
        rows=tuple(cells),
        columns=_columns(),
        records=tuple(records),
    )


def _head() -> tuple[str, ...]:
    return (
        "site",
        "n",
        "AUC, left out",
        "AUC, cross-validated",
        "sensitivity, left out",
        "sensitivity, cross-validated",
        "specificity, left out",
        "specificity, cross-validated",
        "slope, left out",
        "intercept, left out",
    )


def _columns() -> tuple[str, ...]:
    columns = ["site", "n", "malignant"]
    for side in SIDES:
        columns += [f"{side}_auc", f"{side}_auc_low", f"{side}_auc_high"]
        columns.append(f"{side}_auc_pooled")
        for measure in RATES:
            name = f"{side}_{measure}"
            columns += [name, f"{name}_wilson_low", f"{name}_wilson_high"]
        columns += [f"{side}_slope", f"{side}_intercept"]
    return (*columns, "problem")


def masks_by_site(study: Study) -> dict[str, Flags]:
    """Return the judged images (N,) of each site, and of all sites if there are two or more."""
    if study.sites_out is None:
        return {}
    judged = study.sites_out.row.judgement_mask
    names = [str(site) for site in np.unique(study.sites[judged])]
    masks = {name: judged & (study.sites == name) for name in names}
    if len(names) > 1:
        masks[ALL_SITES] = judged
    return masks


def _sides(study: Study, mask: Flags) -> dict[str, _Judgement]:
    """Return the judgements of the images by side of the table; the second can be missing."""
    sides = {}
    if study.sites_out is not None:
        sides[SIDES[0]] = _Judgement.of(study, study.sites_out.row, mask)
    row = leading_row(study)
    if row is not None:
        sides[SIDES[1]] = _Judgement.of(study, row, mask)
    return sides


def _cells(site: str, sides: dict[str, _Judgement]) -> tuple[Cell, ...]:
    left_out = sides[SIDES[0]]
    malignant = int(left_out.malignant.sum())
    pairs = [sides.get(side) for side in SIDES]
    calibration = _calibration(left_out)
    slope = EMPTY_MARK if calibration is None else f"{calibration.slope:.2f}"
    intercept = EMPTY_MARK if calibration is None else f"{calibration.intercept:.2f}"
    return (
        Cell(site, numeric=False),
        Cell(str(len(left_out.malignant)), (f"{malignant} malignant",)),
        *(_auc_cell(judgement) for judgement in pairs),
        *(_rate_cell(judgement, measure) for measure in RATES for judgement in pairs),
        Cell(slope),
        Cell(intercept),
    )


def _auc_cell(judgement: _Judgement | None) -> Cell:
    area = None if judgement is None else judgement.area
    if judgement is None or area is None:
        return Cell(EMPTY_MARK)
    notes = []
    if area.interval is not None:
        notes.append(format_auc_interval(area.interval))
    if len(set(judgement.sites)) > 1:
        notes.append(f"pooled {format_auc(_pooled_auc(judgement))}")
    return Cell(format_auc(area.value), tuple(notes))


def _rate_cell(judgement: _Judgement | None, measure: Measure) -> Cell:
    if judgement is None:
        return Cell(EMPTY_MARK)
    return rate_cell(judgement.rate(measure))


def _record(site: str, sides: dict[str, _Judgement]) -> Record:
    malignant = sides[SIDES[0]].malignant
    record: dict[str, Value] = {
        "site": site,
        "n": len(malignant),
        "malignant": int(malignant.sum()),
    }
    for side, judgement in sides.items():
        record |= {
            f"{side}_{name}": value for name, value in _values(judgement).items()
        }
    return record


def _values(judgement: _Judgement) -> dict[str, Value]:
    values: dict[str, Value] = {}
    area = judgement.area
    if area is not None:
        values |= {"auc": area.value, "auc_pooled": _pooled_auc(judgement)}
        if area.interval is not None:
            values |= {"auc_low": area.interval.low, "auc_high": area.interval.high}
    for measure in RATES:
        proportion = judgement.rate(measure)
        if not proportion.total:
            continue
        interval = proportion.interval(IntervalMethod.WILSON)
        values |= {
            str(measure): proportion.value,
            f"{measure}_wilson_low": interval.low,
            f"{measure}_wilson_high": interval.high,
        }
    calibration = _calibration(judgement)
    if calibration is not None:
        values |= {
            "slope": calibration.slope,
            "intercept": calibration.intercept,
        }
    return values


def _area(study: Study, row: Row, mask: Flags) -> Area | None:
    """Return the AUC over pairs of images of the same site; None if no site has both classes."""
    if row.scores is None:
        return None
    areas = measure_site_areas(
        row.scores[np.newaxis, mask],
        malignant=study.malignant[mask],
        groups=study.groups[mask],
        sites=study.sites[mask],
    )
    return None if areas is None else Area(*areas.area(0))


def _pooled_auc(judgement: _Judgement) -> float:
    if judgement.row.scores is None:
        return math.nan
    return roc_auc(judgement.row.scores, judgement.malignant)


def _calibration(judgement: _Judgement) -> Sigmoid | None:
    """Return the slope and intercept of the outcome on the log-odds of the risk.

    None without risks, or with one class.
    """
    risks = judgement.row.risks
    if risks is None or len(set(judgement.malignant)) < 2:
        return None
    log_odds = logit(np.clip(risks, RISK_MARGIN, 1 - RISK_MARGIN))
    return fit_sigmoid(log_odds, judgement.malignant)
