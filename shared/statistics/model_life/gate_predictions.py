"""The predictions that the gate judges. Images that a model could not process count against it."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from shared.statistics.cases import Flags, Floats
from shared.statistics.errors import ScoresInvalid

UNPROCESSED_MALIGNANT_SCORE = -1.0
UNPROCESSED_BENIGN_SCORE = 2.0
"""Scores of images that a model could not process.

They are below and above all other scores, so that each such image is ranked as wrongly as possible.
"""


@dataclass(frozen=True, eq=False)
class ModelPredictions:
    """The predictions of one model for the test images.

    All arrays are (N,) in the order of the images. A value is NaN if the model could not process
    the image.

    Attributes
    ----------
    scores : higher = more likely malignant
    risks : probability of malignancy at `prevalence`
    decisions : 1 = malignant by the model's own cut-off
    referrals : whether the model referred the image to a radiologist instead of a decision
    prevalence : fraction of malignant images in the model's training set
    """

    scores: ArrayLike
    risks: ArrayLike
    decisions: ArrayLike
    referrals: ArrayLike
    prevalence: float


@dataclass(frozen=True, eq=False)
class RoiKindPredictions:
    """Predictions for test images that are read with one kind of ROI.

    Attributes
    ----------
    kind : name of the kind
    rows : (M,) numbers of these images among all test images
    candidate, live : predictions for them; `live` is None if no model is live
    """

    kind: str
    rows: NDArray[np.int_]
    candidate: ModelPredictions
    live: ModelPredictions | None


class CountedPredictions(NamedTuple):
    """Predictions (N,) in which images that were not processed are called and ranked wrongly."""

    is_processed: Flags
    scores: Floats
    decisions: Flags


def count_unprocessed(
    predictions: ModelPredictions, malignant: Flags
) -> CountedPredictions:
    """Return the predictions with the worst value for each image that was not processed.

    Raises `ScoresInvalid` if their number differs from the number of labels.
    """
    scores = np.asarray(predictions.scores, np.float64)
    decisions = np.asarray(predictions.decisions, np.float64)
    if not scores.shape == decisions.shape == malignant.shape:
        raise ScoresInvalid(
            problem=f"there are {scores.size} readings of {malignant.size} images"
        )
    is_processed = np.isfinite(scores)
    worst_scores = np.where(
        malignant, UNPROCESSED_MALIGNANT_SCORE, UNPROCESSED_BENIGN_SCORE
    )
    return CountedPredictions(
        is_processed=is_processed,
        scores=np.where(is_processed, scores, worst_scores),
        decisions=np.where(is_processed, decisions == 1, ~malignant),
    )
