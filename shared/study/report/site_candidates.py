"""The table of simpler and adapted models at left-out sites, and the warning from it."""

import numpy as np

from shared.statistics import Interval
from shared.statistics.discrimination.site_areas import SiteAreas, measure_site_areas
from shared.study.report.figures import Area
from shared.study.report.sites_out import masks_by_site
from shared.study.report.tables import Cell, Record, Table, Value
from shared.study.report.wording import EMPTY_MARK, format_auc, format_auc_interval
from shared.study.results import Candidate, Flags, Row, Study

RECIPE = "recipe"
NAMES = {
    RECIPE: "AUC, the recipe",
    Candidate.BASELINE: "AUC, plain averages",
    Candidate.ADAPTED: "AUC, the recipe adapted",
    Candidate.ADAPTED_BY_OTHERS: "AUC, adapted by other images",
}
LEGEND = (
    "Each site is judged by models of all other sites, as above. Plain averages: all stages of the "
    "recipe's networks averaged over the ROI's box, one SVM. Adapted: each site's features are "
    "standardised by the mean and deviation of its own images, without labels; the images that are "
    "judged are among them, so a hospital's first case could not be judged so. By other images: by "
    "those of the other half of the site's patients. Adapted models are for judgement only: the "
    "bundle is the recipe's. AUC as above; a model that did not judge every site has none of 'all "
    "sites'."
)


def site_candidates_table(study: Study) -> Table:
    """Return the table; it is empty with fewer than two sites or without other models."""
    cells: list[tuple[Cell, ...]] = []
    records: list[Record] = []
    rows = _rows(study)
    for site, mask in masks_by_site(study).items():
        if len(rows) < 2:
            break
        areas = {name: _area(study, row, mask) for name, row in rows.items()}
        cells.append((Cell(site, numeric=False), *map(_cell, areas.values())))
        records.append(_record(site, areas))
    return Table(
        name="site_candidates",
        title="Other models at a site that they have not seen",
        legend=LEGEND,
        head=("site", *(NAMES[name] for name in rows)),
        rows=tuple(cells),
        columns=_columns(),
        records=tuple(records),
    )


def baseline_warning(study: Study) -> str | None:
    """Return a sentence if the recipe is worse at left-out sites than plain averages, else None."""
    rows = _rows(study)
    if Candidate.BASELINE not in rows:
        return None
    pair = [rows[RECIPE], rows[Candidate.BASELINE]]
    mask = pair[0].judgement_mask & pair[1].judgement_mask
    areas = _areas(study, pair, mask)
    if areas is None:
        return None
    difference, interval = areas.difference()
    if difference >= 0:
        return None
    recipe_auc, baseline_auc = areas.values
    return (
        "At sites that it has not seen the recipe is worse than plain averages of its networks: "
        f"AUC {format_auc(recipe_auc)} against {format_auc(baseline_auc)}{_chance(interval)}. Do not expect of "
        "it at another hospital what the cross-validation shows."
    )


def _chance(interval: Interval | None) -> str:
    if interval is None:
        return ""
    bounds = (
        f"95 % interval of the difference {interval.low:+.3f} to {interval.high:+.3f}"
    )
    if interval.high < 0:
        return f" ({bounds})"
    return f" ({bounds}, so chance can explain it)"


def _rows(study: Study) -> dict[str, Row]:
    if study.sites_out is None:
        return {}
    rows: dict[str, Row] = {RECIPE: study.sites_out.row}
    for name in Candidate:
        if name in study.sites_out.candidates:
            rows[name] = study.sites_out.candidates[name]
    return rows


def _area(study: Study, row: Row, mask: Flags) -> Area | None:
    """Return the AUC of the images of a mask (N,); None if the model did not judge all of them."""
    if not row.judgement_mask[mask].all():
        return None
    areas = _areas(study, [row], mask)
    return None if areas is None else Area(*areas.area(0))


def _areas(study: Study, rows: list[Row], mask: Flags) -> SiteAreas | None:
    scores = [row.scores for row in rows if row.scores is not None]
    return measure_site_areas(
        np.stack(scores)[:, mask],
        malignant=study.malignant[mask],
        groups=study.groups[mask],
        sites=study.sites[mask],
    )


def _cell(area: Area | None) -> Cell:
    if area is None:
        return Cell(EMPTY_MARK)
    notes = () if area.interval is None else (format_auc_interval(area.interval),)
    return Cell(format_auc(area.value), notes)


def _columns() -> tuple[str, ...]:
    columns = ["site"]
    for name in NAMES:
        columns += [f"{name}_auc", f"{name}_auc_low", f"{name}_auc_high"]
    return tuple(columns)


def _record(site: str, areas: dict[str, Area | None]) -> Record:
    record: dict[str, Value] = {"site": site}
    for name, area in areas.items():
        if area is None:
            continue
        record[f"{name}_auc"] = area.value
        if area.interval is not None:
            record[f"{name}_auc_low"] = area.interval.low
            record[f"{name}_auc_high"] = area.interval.high
    return record
