"""The geometry of a decision curve on the page of a model card."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

LEFT = 30.0
TOP = 10.0
SIDE = 180.0
"""The square in the figure's view box that holds the curves."""
DEPTH = 0.15
"""The part below zero that is shown, as a share of the greatest net benefit."""
THRESHOLD_STEP = 0.1

Point = tuple[float, float]


@dataclass(frozen=True)
class Tick:
    """A label in per cent, at its pixel in the view box."""

    position: float
    label: str


@dataclass(frozen=True)
class CurveFigure:
    """SVG point lists of the model, its interval, and both alternatives."""

    model: str
    band: str
    biopsy_all: str
    biopsy_none: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]


def curve_figure(curve: Mapping[str, Any]) -> CurveFigure:
    """Lay out a curve of a card's `decision_curves`.

    What lies below the shown part is drawn at its lower edge, save biopsying everybody, which ends
    there.
    """
    points = curve["points"]
    scale = _Scale(points)
    none = curve["biopsy_none"]
    low = [(point["threshold"], point["low"]) for point in reversed(points)]
    high = [(point["threshold"], point["high"]) for point in points]
    biopsy_all = [
        (point["threshold"], point["biopsy_all"])
        for point in points
        if point["biopsy_all"] >= scale.bottom
    ]
    return CurveFigure(
        model=scale.point_list(
            (point["threshold"], point["net_benefit"]) for point in points
        ),
        band=scale.point_list([*high, *low]),
        biopsy_all=scale.point_list(biopsy_all),
        biopsy_none=scale.point_list([(0, none), (scale.last_threshold, none)]),
        x_ticks=scale.x_ticks(),
        y_ticks=tuple(
            Tick(position=scale.y(value), label=f"{100 * value:.0f}")
            for value in (0.0, scale.top / 2, scale.top)
        ),
    )


class _Scale:
    """Maps thresholds and net benefits to pixels.

    Attributes
    ----------
    top, bottom : net benefits at the edges of the square
    last_threshold : the threshold at its right edge
    """

    def __init__(self, points: Iterable[Mapping[str, float]]) -> None:
        values = []
        thresholds = []
        for point in points:
            values += [point["high"], point["biopsy_all"]]
            thresholds.append(point["threshold"])
        # At least 1 per 100: a curve that is nowhere above zero has a scale too.
        self.top = max(0.01, *values)
        self.bottom = -DEPTH * self.top
        self.last_threshold = max(thresholds)

    def x(self, threshold: float) -> float:
        return round(LEFT + SIDE * threshold / self.last_threshold, 1)

    def y(self, value: float) -> float:
        share = (max(value, self.bottom) - self.bottom) / (self.top - self.bottom)
        return round(TOP + SIDE * (1 - share), 1)

    def point_list(self, points: Iterable[Point]) -> str:
        return " ".join(f"{self.x(point[0])},{self.y(point[1])}" for point in points)

    def x_ticks(self) -> tuple[Tick, ...]:
        count = round(self.last_threshold / THRESHOLD_STEP)
        thresholds = [THRESHOLD_STEP * number for number in range(count + 1)]
        return tuple(
            Tick(position=self.x(threshold), label=f"{100 * threshold:.0f}")
            for threshold in thresholds
        )
