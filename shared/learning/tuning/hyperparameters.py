"""Chooses the hyperparameters of tuning (rate, decay, epochs) by cross-validation."""

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
    """Learning rate, weight decay and number of epochs of one tuning."""

    rate: float
    decay: float
    epochs: int


def hyperparameter_grid(plan: TuningPlan) -> list[Hyperparameters]:
    """Return every rate with every decay, each with the plan's maximum of epochs."""
    return [
        Hyperparameters(rate=rate, decay=decay, epochs=plan.epochs)
        for rate, decay in product(plan.rates, plan.decays)
    ]


@dataclass(frozen=True, eq=False)
class LearningCurves:
    """Out-of-fold log-odds after each epoch.

    Attributes
    ----------
    grid : the tunings, G of them
    log_odds : (G, epochs, N)
    """

    grid: Sequence[Hyperparameters]
    log_odds: NDArray[np.float32]

    def choose(
        self, malignant: NDArray[np.bool_], rows: NDArray[np.int64]
    ) -> tuple[int, Hyperparameters]:
        """Return the hyperparameters with the least cross-entropy on these rows, and their index.

        Both classes have the same weight, as in balanced training. If several losses are equal, the
        first and shortest tuning is chosen. A tuning that diverged is never chosen.

        Raises
        ------
        TuningDiverged
            if all tunings diverged.
        """
        log_odds = self.log_odds[..., rows].astype(np.float64)
        labels = malignant[rows]
        with np.errstate(invalid="ignore"):
            losses = np.logaddexp(0, np.where(labels, -log_odds, log_odds))
        loss_malignant = losses[..., labels].mean(-1)
        loss_benign = losses[..., ~labels].mean(-1)
        loss = (loss_malignant + loss_benign) / 2
        is_finite = np.isfinite(loss)
        if not is_finite.any():
            rates = ", ".join(f"{tuning.rate:g}" for tuning in self.grid)
            raise TuningDiverged(rates=rates)
        position = int(np.argmin(np.where(is_finite, loss, np.inf)))
        index, epoch = divmod(position, loss.shape[1])
        tuning = self.grid[index]
        best = Hyperparameters(rate=tuning.rate, decay=tuning.decay, epochs=epoch + 1)
        return index, best
