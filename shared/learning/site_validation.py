"""Judges the model of a recipe at each site by fits on all other sites."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.learning.errors import TooFewSamples, TooFewSiteImages
from shared.learning.progress import ProgressCallback, report_part
from shared.learning.site_adaptation import (
    Adaptation,
    AdaptedFeatures,
    standardise_sites,
)
from shared.learning.training_context import TrainingContext
from shared.learning.tuning.errors import TuningDiverged
from shared.learning.validation.cross_validation import (
    OutOfFoldScores,
    score_out_of_fold,
)
from shared.learning.validation.left_out_sites import (
    LeftOutSite,
    judge_left_out_site,
    leave_site_out,
)
from shared.statistics import ConstantScores, ScoresInvalid

_PROBLEMS = (
    ConstantScores,
    ScoresInvalid,
    TooFewSamples,
    TooFewSiteImages,
    TuningDiverged,
)


@dataclass(frozen=True)
class SiteValidation:
    """The sites that were judged, and for each other site the reason why it could not be."""

    judged: tuple[LeftOutSite, ...]
    problems: Mapping[str, str]


def validate_by_site(
    context: TrainingContext,
    progress: ProgressCallback,
    adaptation: Adaptation | None = None,
) -> SiteValidation | None:
    """Judge each site by a model of the other sites; None if fewer than two sites are named.

    No feature is computed twice, and scores in the context's cache are not computed again.
    Networks that the recipe tunes are tuned anew for each site.

    Parameters
    ----------
    adaptation : which images of a site give the statistics that its features are standardised by;
        None: no site is standardised by itself. Not for recipes that tune a network
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
            judged.append(_judge_site(context, sites, site, site_progress, adaptation))
        except _PROBLEMS as error:
            problems[site] = str(error)
    return SiteValidation(judged=tuple(judged), problems=problems)


def _judge_site(
    context: TrainingContext,
    sites: NDArray[np.str_],
    site: str,
    progress: ProgressCallback,
    adaptation: Adaptation | None,
) -> LeftOutSite:
    cross_validation = leave_site_out(
        context.cross_validation,
        sites=sites,
        site=site,
        count=context.recipe.validation.folds,
    )
    site_context = context.with_cross_validation(cross_validation, progress)
    with site_context:
        if adaptation is None:
            scores = site_context.score_out_of_fold(
                site_context.components, site_context.recipe.features, progress
            )
        else:
            scores = _score_adapted(site_context, sites, site, adaptation, progress)
    return judge_left_out_site(
        site,
        rule=context.recipe.fusion.rule,
        scores=scores,
        cross_validation=cross_validation,
    )


def _score_adapted(
    context: TrainingContext,
    sites: NDArray[np.str_],
    site: str,
    adaptation: Adaptation,
    progress: ProgressCallback,
) -> list[OutOfFoldScores]:
    """Score the context's folds with features of which each site is standardised by itself."""
    standardisation = standardise_sites(
        sites,
        site,
        groups=context.cross_validation.groups,
        adaptation=adaptation,
        seed=context.seed,
    )
    features = [
        AdaptedFeatures(context.fold_features(feature_set), standardisation)
        for feature_set in context.recipe.features
    ]
    return score_out_of_fold(
        context.components,
        features=features,
        cross_validation=context.cross_validation,
        cache=context.cache,
        progress=progress,
    )
