"""The models that are fitted, for each site, on all other sites: the recipe's, and simpler ones."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from shared.learning import (
    Adaptation,
    ProgressCallback,
    SiteValidation,
    TrainingContext,
    baseline_recipe,
    tuning_keys,
    validate_by_site,
)
from shared.networks import WeightsFinder
from shared.statistics.model_life.left_out_sites import (
    RECIPE,
    JudgedImages,
    LeftOutSites,
    left_out_sites,
)
from shared.study.results import Candidate, Row, Section, SitesOut

ADAPTATIONS = {
    Candidate.ADAPTED: Adaptation.WHOLE_SITE,
    Candidate.ADAPTED_BY_OTHERS: Adaptation.OTHER_HALF,
}


def leave_sites_out(
    context: TrainingContext, weights: WeightsFinder, progress: ProgressCallback
) -> SitesOut | None:
    """Judge each site by the recipe's model of the other sites; None with fewer than two sites.

    The plain baseline and the recipe with features adapted to the site are judged beside it, on the
    images that all of them have.
    """
    validation = validate_by_site(context, progress)
    if validation is None:
        return None
    return SitesOut(
        row=_row(context, context.recipe.name, validation),
        problems=validation.problems,
        candidates={
            **_baseline(context, weights, progress),
            **_adapted(context, progress),
        },
    )


def site_evidence(
    context: TrainingContext, sites_out: SitesOut | None
) -> LeftOutSites | None:
    """Return the figures that a model keeps, of the images that its recipe judged; None if none.

    A model beside the recipe counts only if it judged all of them.
    """
    if sites_out is None:
        return None
    recipe_row = sites_out.row
    mask = recipe_row.judgement_mask
    images = JudgedImages(
        malignant=context.table.malignant[mask],
        groups=context.table.groups[mask],
        sites=_sites(context)[mask],
    )
    rows = [(RECIPE, recipe_row), *sites_out.candidates.items()]
    scores = {
        str(name): row.scores[mask]
        for name, row in rows
        if row.scores is not None and row.judgement_mask[mask].all()
    }
    return left_out_sites(images, scores, decisions=recipe_row.decisions[mask])


def _sites(context: TrainingContext) -> NDArray[np.str_]:
    return np.array([sample.site or "" for sample in context.table.samples], str)


def _baseline(
    context: TrainingContext, weights: WeightsFinder, progress: ProgressCallback
) -> Mapping[Candidate, Row]:
    """Return the row of plain averages; none if the recipe has no pre-trained network."""
    recipe = baseline_recipe(context.recipe)
    if recipe is None:
        return {}
    with TrainingContext(
        context.table.samples,
        recipe=recipe,
        weights=weights,
        cache=context.cache,
        seed=context.seed,
        progress=progress,
    ) as baseline_context:
        validation = validate_by_site(baseline_context, progress)
    assert validation is not None
    return {Candidate.BASELINE: _row(context, recipe.name, validation)}


def _adapted(
    context: TrainingContext, progress: ProgressCallback
) -> Mapping[Candidate, Row]:
    """Return the rows of adapted features; none if a network is tuned on the labels.

    A row without any image is left out.
    """
    if tuning_keys(context.recipe):
        return {}
    rows = {}
    for candidate, adaptation in ADAPTATIONS.items():
        validation = validate_by_site(context, progress, adaptation)
        assert validation is not None
        if validation.judged:
            name = f"{context.recipe.name}, adapted"
            rows[candidate] = _row(context, name, validation)
    return rows


def _row(context: TrainingContext, name: str, validation: SiteValidation) -> Row:
    count = len(context.table.samples)
    scores = np.full(count, np.nan)
    risks = np.full(count, np.nan)
    decisions = np.zeros(count, bool)
    judgement_mask = np.zeros(count, bool)
    for site in validation.judged:
        scores[site.rows] = site.scores
        risks[site.rows] = site.risks
        decisions[site.rows] = site.decisions
        judgement_mask[site.rows] = True
    return Row(
        section=Section.MODEL,
        name=f"{name}, fitted on the other sites",
        facts={},
        decisions=decisions,
        scores=scores,
        risks=risks,
        judgement_mask=judgement_mask,
    )
