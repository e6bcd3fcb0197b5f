"""Plans the cases of a load and their times.

The load is open-loop: a slow answer does not delay later cases.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from trials.slo import Kind, PlannedCase

URGENT_SHARE = 0.05
TWICE_SHARE = 0.05
MIN_SIZE_MM = 5.0
STEPS_PER_MM = 100
SIZES = 29_000
"""Sizes from 5 to 295 mm: the contract takes 300 at most. Two cases of one size are 29,000 cases
apart.
"""


@dataclass(frozen=True)
class LoadPlan:
    """The parameters of a load."""

    hospitals: int
    rate: float
    """Cases a second, all hospitals together."""
    minutes: float
    seed: int

    @property
    def seconds(self) -> float:
        return self.minutes * 60

    @property
    def names(self) -> list[str]:
        """The busiest hospital first."""
        digits = max(len(str(self.hospitals)), 2)
        return [f"load-{number:0{digits}}" for number in range(1, self.hospitals + 1)]


@dataclass(frozen=True)
class Arrival:
    """A case, and the second of the run in which it is due."""

    at_s: float
    planned: PlannedCase


def shares(hospitals: int) -> list[float]:
    """The share of each hospital by Zipf's law: the second sends half as many
    cases as the first.
    """
    weights = [1 / rank for rank in range(1, hospitals + 1)]
    return [weight / sum(weights) for weight in weights]


def schedule(load: LoadPlan) -> list[Arrival]:
    """Draw a Poisson process of cases; each case goes to a hospital by the hospitals' shares.

    The same seed gives the same cases at the same times.
    """
    generator = random.Random(load.seed)
    arrivals: list[Arrival] = []
    names = load.names
    cumulative_shares = list(accumulate(shares(load.hospitals)))
    at_s = generator.expovariate(load.rate)
    while at_s < load.seconds:
        arrivals.append(
            Arrival(at_s, _planned(len(arrivals), generator, names, cumulative_shares))
        )
        at_s += generator.expovariate(load.rate)
    return arrivals


def _planned(
    number: int,
    generator: random.Random,
    names: Sequence[str],
    cumulative_shares: Sequence[float],
) -> PlannedCase:
    (hospital,) = generator.choices(names, cum_weights=cumulative_shares)
    urgent = generator.random() < URGENT_SHARE
    sent_twice = generator.random() < TWICE_SHARE
    return PlannedCase(
        number=number,
        hospital=hospital,
        kind=Kind.GOOD,
        size_mm=size_mm(number),
        urgent=urgent,
        twice=sent_twice,
    )


def size_mm(number: int) -> float:
    """A size in mm that no case with a nearby number has."""
    return round(MIN_SIZE_MM + number % SIZES / STEPS_PER_MM, 2)
