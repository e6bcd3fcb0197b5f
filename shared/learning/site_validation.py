"""Judges the model of a recipe at each site by fits on all other sites."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.learning.errors import TooFewSamples
from shared.learning.progress import ProgressCallback, report_part
from shared.learning.training_context import TrainingContext
from shared.learning.tuning.errors import TuningDiverged
from shared.learning.validation.left_out_sites import (
    LeftOutSite,
    judge_left_out_site,
    leave_site_out,
)
from shared.statistics import ConstantScores, ScoresInvalid


@dataclass(frozen=True)
class SiteValidation:
    """The sites that were judged, and for each other site the reason why it could not be."""

    judged: tuple[LeftOutSite, ...]
    problems: Mapping[str, str]


def validate_by_site(
    context: TrainingContext, progress: ProgressCallback
) -> SiteValidation | None:
    """Judge each site by a model of the other sites; None if fewer than two sites are named.

    No feature is computed twice, and scores in the context's cache are not computed again.
    Networks that the recipe tunes are tuned anew for each site.
    """
    samples = context.table.samples
    sites = np.array([sample.site or "" for sample in samples], str)
    names = [str(site) for site in np.unique(sites) if site]
    if len(names) < 2:
        return None
    judged: list[LeftOutSite] = []
    problems: dict[str, str] = {}
    for number, site in enumerate(names):
        site_progress = report_part(progress, number, len(names), prefix="sites-")
        try:
            judged.append(_judge_site(context, sites, site, site_progress))
        except (ConstantScores, ScoresInvalid, TooFewSamples, TuningDiverged) as error:
            problems[site] = str(error)
    return SiteValidation(judged=tuple(judged), problems=problems)


def _judge_site(
    context: TrainingContext,
    sites: NDArray[np.str_],
    site: str,
    progress: ProgressCallback,
) -> LeftOutSite:
    cross_validation = leave_site_out(
        context.cross_validation,
        sites=sites,
        site=site,
        count=context.recipe.validation.folds,
    )
    site_context = context.with_cross_validation(cross_validation, progress)
    with site_context:
        scores = site_context.score_out_of_fold(
            site_context.components, site_context.recipe.features, progress
        )
    return judge_left_out_site(
        site,
        rule=context.recipe.fusion.rule,
        scores=scores,
        cross_validation=cross_validation,
    )
