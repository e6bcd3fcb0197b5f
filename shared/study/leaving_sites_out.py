"""The row of the model that is fitted, for each site, on all other sites."""

import numpy as np

from shared.learning import ProgressCallback, TrainingContext, validate_by_site
from shared.study.results import Row, Section, SitesOut


def leave_sites_out(
    context: TrainingContext, progress: ProgressCallback
) -> SitesOut | None:
    """Judge each site by the recipe's model of the other sites; None with fewer than two sites."""
    validation = validate_by_site(context, progress)
    if validation is None:
        return None
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
    row = Row(
        section=Section.MODEL,
        name=f"{context.recipe.name}, fitted on the other sites",
        facts={},
        decisions=decisions,
        scores=scores,
        risks=risks,
        judgement_mask=judgement_mask,
    )
    return SitesOut(row=row, problems=validation.problems)
