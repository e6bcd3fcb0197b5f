"""Judges the model of a recipe by the kind of ROI that its images come with."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from shared.learning.classifiers.classifiers import Labels, Scores
from shared.learning.classifiers.fusion import fuse_out_of_fold
from shared.learning.features.extractors import Array
from shared.learning.features.fold_features import (
    FixedFeatures,
    FoldFeatures,
    WeightedTable,
)
from shared.learning.progress import ProgressCallback, report_part
from shared.learning.training_context import TrainingContext
from shared.learning.validation.cross_validation import (
    OutOfFoldScores,
    score_out_of_fold,
)
from shared.learning.validation.folds import Fold
from shared.learning.validation.report import decide_out_of_fold
from shared.recipes import RoiKind


@dataclass(frozen=True, eq=False)
class RoiKindScores:
    """The model's answers if every image comes with one kind of ROI.

    Attributes
    ----------
    scores : (N,) fused, out of fold
    decisions : (N,) called malignant, at the cut-off from the other folds
    """

    kind: RoiKind
    scores: Scores
    decisions: Labels


class _PresentedFeatures:
    """Features of which a fold's test rows are those of images with another kind of ROI."""

    is_tuned = False

    def __init__(
        self,
        features: FoldFeatures,
        presented: Array,
        kind: RoiKind,
        folds: Sequence[Fold],
    ) -> None:
        self.digest = f"{features.digest}-{kind}"
        self._features = features
        self._presented = presented
        self._folds = folds

    def prepare(self) -> None:
        """There is nothing to prepare."""

    def fold_table(self, fold_index: int) -> Array:
        table = np.array(self._features.fold_table(fold_index))
        test = self._folds[fold_index].test
        table[test] = self._presented[test]
        return table

    def final_table(self) -> Array:
        return self._features.final_table()

    def training_tables(self, fold_index: int | None) -> Sequence[WeightedTable]:
        return self._features.training_tables(fold_index)


def validate_by_roi_kind(
    context: TrainingContext,
    scores: Sequence[OutOfFoldScores],
    progress: ProgressCallback,
) -> tuple[RoiKindScores, ...]:
    """Judge the images with each kind of ROI by the same fits, out of fold.

    The fits, their calibration, weights and cut-off are those of the cross-validation: they saw
    the other images as the recipe presents them. Nothing is judged if a network is tuned, because
    its features belong to its own inputs.

    Parameters
    ----------
    scores : out-of-fold scores of `context.components`
    """
    features = [context.fold_features(part) for part in context.recipe.features]
    if not all(isinstance(values, FixedFeatures) for values in features):
        return ()
    judged = []
    for number, kind in enumerate(RoiKind):
        part = report_part(progress, number, len(RoiKind), prefix="roi-")
        judged.append(_judge_kind(context, features, scores, kind, part))
    return tuple(judged)


def _judge_kind(
    context: TrainingContext,
    features: Sequence[FoldFeatures],
    scores: Sequence[OutOfFoldScores],
    kind: RoiKind,
    progress: ProgressCallback,
) -> RoiKindScores:
    cross_validation = context.cross_validation
    folds = cross_validation.folds
    tables = context.presented_tables(kind, progress)
    presented = [
        _PresentedFeatures(values, presented=table, kind=kind, folds=folds)
        for values, table in zip(features, tables, strict=True)
    ]
    kind_scores = score_out_of_fold(
        context.components,
        features=presented,
        cross_validation=cross_validation,
        cache=context.cache,
        progress=progress,
    )
    rule = context.recipe.fusion.rule
    malignant = cross_validation.malignant
    own_scores = [component.scores for component in scores]
    own = fuse_out_of_fold(rule, own_scores, malignant, folds)
    fused = fuse_out_of_fold(
        rule,
        own_scores,
        malignant,
        folds,
        presented=[component.scores for component in kind_scores],
    )
    return RoiKindScores(
        kind=kind,
        scores=fused,
        decisions=decide_out_of_fold(own, malignant, folds, presented=fused),
    )
