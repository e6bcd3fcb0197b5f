"""What the hospitals of a load will send, and when: open-loop, so that a slow answer keeps no case
from coming.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from trials.slo import Kind, Planned

URGENT_SHARE = 0.05
TWICE_SHARE = 0.05
LEAST_MM = 5.0
STEPS_PER_MM = 100
SIZES = 29_000
"""Sizes from 5 to 295 mm: the contract takes 300 at most. Two cases of one size are 29,000 cases
apart.
"""


@dataclass(frozen=True)
class Load:
    """What is asked for."""

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
    """A case, and the second of the run in which its hospital has it ready."""

    at_s: float
    planned: Planned


def shares(hospitals: int) -> list[float]:
    """Of all cases, after Zipf: the second sends half of what the first does, the third a third."""
    weights = [1 / rank for rank in range(1, hospitals + 1)]
    return [weight / sum(weights) for weight in weights]


def schedule(load: Load) -> list[Arrival]:
    """A Poisson process, each case to a hospital by its share; the same seed gives the same cases
    at the same times.
    """
    drawn = random.Random(load.seed)
    arrivals: list[Arrival] = []
    names = load.names
    bounds = list(accumulate(shares(load.hospitals)))
    at_s = drawn.expovariate(load.rate)
    while at_s < load.seconds:
        arrivals.append(Arrival(at_s, _planned(len(arrivals), drawn, names, bounds)))
        at_s += drawn.expovariate(load.rate)
    return arrivals


def _planned(
    number: int, drawn: random.Random, names: Sequence[str], bounds: Sequence[float]
) -> Planned:
    (hospital,) = drawn.choices(names, cum_weights=bounds)
    urgent = drawn.random() < URGENT_SHARE
    twice = drawn.random() < TWICE_SHARE
    return Planned(
        number, hospital, Kind.GOOD, size_mm(number), urgent=urgent, twice=twice
    )


def size_mm(number: int) -> float:
    """Which no case near this one has."""
    return round(LEAST_MM + number % SIZES / STEPS_PER_MM, 2)
