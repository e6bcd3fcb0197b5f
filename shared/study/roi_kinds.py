"""The rows of the model with each kind of ROI."""

from collections.abc import Mapping, Sequence

import numpy as np

from shared.learning import ProgressCallback, TrainingContext
from shared.learning.roi_validation import validate_by_roi_kind
from shared.learning.validation.cross_validation import OutOfFoldScores
from shared.recipes import RoiKind
from shared.study.results import Row, Section


def judge_roi_kinds(
    context: TrainingContext,
    scores: Sequence[OutOfFoldScores],
    progress: ProgressCallback,
) -> Mapping[RoiKind, Row]:
    """Return a row for each kind of ROI; none if a network of the recipe is tuned."""
    count = len(context.table.samples)
    return {
        judged.kind: Row(
            section=Section.MODEL,
            name=f"{context.recipe.name}, ROI: {judged.kind}",
            facts={},
            decisions=judged.decisions,
            scores=judged.scores,
            risks=None,
            judgement_mask=np.ones(count, bool),
        )
        for judged in validate_by_roi_kind(context, scores, progress)
    }
