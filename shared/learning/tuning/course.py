"""How long and how fast: the settings of a descent, chosen by cross-validation."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from shared.learning.tuning.errors import TuningDiverged
from shared.recipes import TuningPlan

Scores = NDArray[np.float64]


@dataclass(frozen=True)
class Hyperparameters:
    """One way of tuning."""

    rate: float
    decay: float
    epochs: int


def hyperparameter_grid(plan: TuningPlan) -> list[Hyperparameters]:
    """Every rate with every decay, each for as long as the plan allows."""
    return [
        Hyperparameters(rate, decay, plan.epochs)
        for rate, decay in product(plan.rates, plan.decays)
    ]


@dataclass(frozen=True, eq=False)
class LearningCurves:
    """Out-of-fold log-odds after each epoch of each course: `margins` (courses, epochs, N)."""

    grid: Sequence[Hyperparameters]
    log_odds: NDArray[np.float32]

    def choose(
        self, malignant: NDArray[np.bool_], rows: NDArray[np.int64]
    ) -> tuple[int, Hyperparameters]:
        """Number of the course, and the course with its epochs, of least cross-entropy on these rows.

        The classes count alike, as they do in balanced training; of equals the first and shortest. A descent that ran
        away is never chosen; if all did, `TuningDiverged`.
        """
        margins = self.log_odds[..., rows].astype(np.float64)
        labels = malignant[rows]
        with np.errstate(invalid="ignore"):
            losses = np.logaddexp(0, np.where(labels, -margins, margins))
        loss = (losses[..., labels].mean(-1) + losses[..., ~labels].mean(-1)) / 2
        if not np.isfinite(loss).any():
            raise TuningDiverged(
                rates=", ".join(f"{course.rate:g}" for course in self.grid)
            )
        least = int(np.argmin(np.where(np.isfinite(loss), loss, np.inf)))
        number, epoch = divmod(least, loss.shape[1])
        course = self.grid[number]
        return number, Hyperparameters(course.rate, course.decay, epoch + 1)
