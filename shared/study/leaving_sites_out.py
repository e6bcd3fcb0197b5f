"""The models that are fitted, for each site, on all other sites: the recipe's, and simpler ones."""

from collections.abc import Mapping

import numpy as np

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
