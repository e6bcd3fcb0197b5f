"""Whether a whole picture looks like those that a model was trained on: the gate before the model.

Novelty compares the nodule with the training nodules. A text page, noise or another organ can still
have a patch that resembles a nodule. Belonging therefore compares the whole picture, by averages of
maps of one of the model's networks, with the same Gaussian model as novelty.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from shared.domain.results.findings import Finding
from shared.learning.classifiers.classifiers import Scores, Table
from shared.learning.novelty import Novelty
from shared.learning.validation.folds import Fold

QUANTILE = 0.97
"""Share of the training pictures that belong, out of fold."""
FEW_PICTURES = 100
TAIL_DEVIATIONS = 2.6
"""Of fewer pictures the limit is at least so many standard deviations above the mean of the scores'
logarithms, because their highest quantiles are known too badly to refuse by them alone.
"""
RARE_COLOUR_SHARE = 0.02
"""If fewer training pictures were in colour, a coloured picture does not belong."""
COLOUR_DISTANCE = 100.0
"""What colour adds to the distance then, in multiples of the limit."""
FOREIGN_IMAGE = "foreign-image"
FOREIGN_TEXT = (
    "This does not look like the ultrasound images that the model was trained on: another organ or "
    "kind of picture, a screen with text, colour, or a blurred copy. Check that the right image "
    "was sent, as a plain B-mode image; if it was, have a radiologist read it."
)


@dataclass(frozen=True, eq=False)
class Belonging:
    """How far a picture may be from the training pictures.

    Attributes
    ----------
    novelty : fitted on the features (N, D) of the whole training pictures
    limit : the greatest novelty of a picture that belongs
    coloured_share : share of coloured pictures in training
    """

    novelty: Novelty
    limit: float
    coloured_share: float

    @classmethod
    def fit(cls, frames: Table, folds: Sequence[Fold]) -> Self:
        """Fit on the training pictures; the limit is a quantile of their scores out of fold.

        Parameters
        ----------
        frames : (N, D + 1) as `FrameExtractor` gives them; the last column is 1 for colour
        """
        features = frames[:, :-1]
        scores = np.zeros(len(frames))
        for fold in folds:
            novelty = Novelty.fit(features[fold.training])
            scores[fold.test] = novelty.score(features[fold.test])
        return cls(
            novelty=Novelty.fit(features),
            limit=_limit(scores),
            coloured_share=float(frames[:, -1].mean()),
        )

    def distances(self, frames: Table) -> Scores:
        """Return the distance (N,) of pictures (N, D + 1) in multiples of the limit.

        A picture with a distance above 1 does not belong.
        """
        distances: Scores = self.novelty.score(frames[:, :-1]) / self.limit
        if self.coloured_share < RARE_COLOUR_SHARE:
            distances = distances + COLOUR_DISTANCE * frames[:, -1]
        return distances


def foreign_image(distance: float) -> Finding:
    """The reason why a picture that does not belong is referred."""
    return Finding(FOREIGN_IMAGE, FOREIGN_TEXT, {"distance": round(distance, 2)})


def _limit(scores: Scores) -> float:
    limit = float(np.quantile(scores, QUANTILE))
    if len(scores) >= FEW_PICTURES:
        return limit
    logarithms = np.log(scores)
    tail = np.exp(logarithms.mean() + TAIL_DEVIATIONS * logarithms.std())
    return max(limit, float(tail))
