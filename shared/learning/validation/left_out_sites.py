"""Leave-one-site-out validation: each site is judged by a model fitted on the other sites alone.

Cross-validation mixes the sites, so a model has seen the machine of every image that it is judged
on. A hospital that did not give training images has another machine.
"""

import hashlib
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from shared.learning.classifiers.classifiers import Labels, Scores
from shared.learning.classifiers.fusion import fuse_out_of_fold
from shared.learning.validation.cross_validation import (
    CrossValidation,
    OutOfFoldScores,
    calibrate_out_of_fold,
)
from shared.learning.validation.folds import Fold, check_group_counts, split_folds
from shared.learning.validation.report import decide_out_of_fold
from shared.recipes import FusionRule


@dataclass(frozen=True, eq=False)
class LeftOutSite:
    """The images of one site, judged by a model that was fitted on the other sites.

    Attributes
    ----------
    rows : (M,) row numbers of the site's images
    scores : (M,) fused scores, higher = more likely malignant
    risks : (M,) probabilities, calibrated on the other sites and at their prevalence
    decisions : (M,) called malignant, at the cut-off of the other sites
    """

    site: str
    rows: NDArray[np.int64]
    scores: Scores
    risks: Scores
    decisions: Labels


def leave_site_out(
    cross_validation: CrossValidation, sites: NDArray[np.str_], site: str, count: int
) -> CrossValidation:
    """Return the folds that a model of the other sites needs; the site is the last fold's test.

    The folds before it divide the other sites by patient. They give out-of-fold scores, from which
    the fusion, the calibration and the cut-off are learnt. No fold trains on the site, on other
    images of its patients, or on an image without a site, which may come from there.

    Parameters
    ----------
    cross_validation : of all images
    sites : (N,) "" if the site is unknown
    count : number of folds within the other sites

    Raises
    ------
    TooFewSamples
        The other sites have too few patients of a class.
    """
    malignant = cross_validation.malignant
    groups = cross_validation.groups
    test = np.flatnonzero(sites == site)
    has_patient_there = np.isin(groups, groups[test])
    training = np.flatnonzero((sites != site) & (sites != "") & ~has_patient_there)
    check_group_counts(malignant[training], groups[training])
    inner_folds = split_folds(
        malignant[training],
        groups=groups[training],
        count=count,
        seed=cross_validation.seed,
    )
    folds = [
        Fold(training=training[fold.training], test=training[fold.test])
        for fold in inner_folds
    ]
    facts = f"{cross_validation.fingerprint} without {test.tolist()}"
    return replace(
        cross_validation,
        folds=[*folds, Fold(training=training, test=test)],
        fingerprint=hashlib.sha256(facts.encode()).hexdigest(),
    )


def judge_left_out_site(
    site: str,
    rule: FusionRule,
    scores: list[OutOfFoldScores],
    cross_validation: CrossValidation,
) -> LeftOutSite:
    """Fuse, calibrate and decide the images of the last fold by what the other folds teach.

    Parameters
    ----------
    scores : of each member of the fusion, on the folds of `leave_site_out`

    Raises
    ------
    ConstantScores, ScoresInvalid
    """
    malignant = cross_validation.malignant
    folds = cross_validation.folds
    members = [member.scores for member in scores]
    fused = fuse_out_of_fold(rule, members, malignant, folds)
    site_fold = folds[-1]
    decisions = decide_out_of_fold(fused, malignant, [site_fold])
    risks = calibrate_out_of_fold(fused, malignant, [site_fold])
    return LeftOutSite(
        site=site,
        rows=site_fold.test,
        scores=fused[site_fold.test],
        risks=risks[site_fold.test],
        decisions=decisions[site_fold.test],
    )
