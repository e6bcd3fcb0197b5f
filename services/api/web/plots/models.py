"""Figures of a model as SVG text: ROC curves, calibration, and what a network learns epoch by epoch.

Colours, strokes and letters are the style sheet's, by class; numbers are in pixels of the figure's own view.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, log10
from typing import TypedDict

Point = tuple[float, float]
UNIT_TICKS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
LEAST_RADIUS = 3.0
MOST_RADIUS = 9.0


@dataclass(frozen=True)
class Frame:
    """Where a figure's numbers lie: data from (0, 0) or `low` to `high`, drawn inside margins."""

    high: Point = (1.0, 1.0)
    low: Point = (0.0, 0.0)
    width: int = 360
    height: int = 330
    left: int = 52
    right: int = 12
    top: int = 12
    bottom: int = 48

    def x(self, value: float) -> float:
        """Pixels from the left."""
        share = (value - self.low[0]) / (self.high[0] - self.low[0])
        return round(self.left + share * (self.width - self.left - self.right), 1)

    def y(self, value: float) -> float:
        """Pixels from the top; greater values are higher up."""
        share = (value - self.low[1]) / (self.high[1] - self.low[1])
        return round(
            self.height - self.bottom - share * (self.height - self.top - self.bottom),
            1,
        )

    def at(self, points: Iterable[Sequence[float]]) -> str:
        return " ".join(f"{self.x(point[0])},{self.y(point[1])}" for point in points)


@dataclass(frozen=True)
class Legend:
    """What is said of a figure, in the reader's language."""

    key: str
    title: str
    desc: str
    x: str
    y: str


class RocCurve(TypedDict):
    """A ROC curve as a judgement holds it."""

    points: Sequence[Point]
    """(false positive rate, sensitivity)"""
    band: Sequence[tuple[float, float, float]]
    """(false positive rate, low, high)"""


class Interval(TypedDict):
    low: float
    high: float


class CalibrationBin(TypedDict):
    """Images of similar risk as a judgement holds them; `interval` is Wilson's around `observed`."""

    mean_probability: float
    observed: float
    count: int
    malignant: int
    interval: Interval


def roc(sides: Mapping[str, RocCurve], said: Legend) -> str:
    """ROC curves, each with its pointwise band.

    Parameters
    ----------
    sides : class of the curve (`candidate`, `live`) -> the curve
    said : title and axes
    """
    frame = Frame()
    drawn = [_diagonal(frame)]
    for name, side in sides.items():
        up = [(rate, high) for rate, _, high in side["band"]]
        down = [(rate, low) for rate, low, _ in reversed(side["band"])]
        drawn.append(
            f'<polygon class="band {name}" points="{frame.at([*up, *down])}"/>'
        )
    for name, side in sides.items():
        drawn.append(
            f'<polyline class="curve {name}" points="{frame.at(side["points"])}"/>'
        )
    return _figure(frame, said, UNIT_TICKS, UNIT_TICKS, drawn)


def calibration(sides: Mapping[str, Sequence[CalibrationBin]], said: Legend) -> str:
    """Stated risk against observed rate: a point for each bin, the larger the more images, with Wilson's interval.

    Parameters
    ----------
    sides : class -> bins
    """
    frame = Frame()
    drawn = [_diagonal(Frame())]
    most = max((each["count"] for bins in sides.values() for each in bins), default=1)
    for name, bins in sides.items():
        drawn += [_whisker(frame, name, each) for each in bins]
        drawn.append(
            f'<polyline class="curve {name}" points="{frame.at(_middles(bins))}"/>'
        )
        drawn += [_bin(frame, name, each, most) for each in bins]
    return _figure(frame, said, UNIT_TICKS, UNIT_TICKS, drawn)


def learning(
    series: Mapping[str, Sequence[Point]], said: Legend, most: float | None = None
) -> str:
    """Figures by epoch, a line for each network and fold.

    Parameters
    ----------
    series : step's name -> (epoch, value)
    most : the upper end of the axis; None: a round number above all values
    """
    points = [point for line in series.values() for point in line]
    epochs = max((epoch for epoch, _ in points), default=1)
    top = most or round_above(max((value for _, value in points), default=1.0))
    frame = Frame(high=(max(epochs, 2), top), low=(1, 0), height=220)
    drawn = [
        _line(frame, name, number, line)
        for number, (name, line) in enumerate(series.items())
    ]
    return _figure(
        frame,
        said,
        _epochs(int(max(epochs, 2))),
        [top * share for share in (0, 0.5, 1)],
        drawn,
    )


def round_above(value: float) -> float:
    """The next of 1, 2, 5, 10, ... times a power of ten."""
    if value <= 0:
        return 1.0
    power = 10.0 ** ceil(log10(value) - 1)
    return next(
        step * power
        for step in (1.0, 2.0, 5.0, 10.0)
        if step * power >= value * (1 - 1e-9)
    )


def _line(frame: Frame, name: str, number: int, line: Sequence[Point]) -> str:
    mark = (
        f'<circle cx="{frame.x(line[-1][0])}" cy="{frame.y(line[-1][1])}" r="3"/>'
        if line
        else ""
    )
    drawn = f'<polyline class="curve" points="{frame.at(line)}"/>{mark}'
    return f'<g class="line line-{number % 6}" data-step="{escape(name)}"><title>{escape(name)}</title>{drawn}</g>'


def _whisker(frame: Frame, name: str, each: CalibrationBin) -> str:
    x = frame.x(each["mean_probability"])
    interval = each["interval"]
    return f'<line class="whisker {name}" x1="{x}" x2="{x}" y1="{frame.y(interval["low"])}" y2="{frame.y(interval["high"])}"/>'


def _bin(frame: Frame, name: str, each: CalibrationBin, most: int) -> str:
    radius = round(
        LEAST_RADIUS + (MOST_RADIUS - LEAST_RADIUS) * (each["count"] / most) ** 0.5, 1
    )
    x = frame.x(each["mean_probability"])
    y = frame.y(each["observed"])
    told = f"{each['malignant']} / {each['count']}"
    return f'<circle class="bin {name}" cx="{x}" cy="{y}" r="{radius}"><title>{told}</title></circle>'


def _middles(bins: Sequence[CalibrationBin]) -> list[Point]:
    return [(each["mean_probability"], each["observed"]) for each in bins]


def _diagonal(frame: Frame) -> str:
    return f'<polyline class="chance" points="{frame.at([(0, 0), (1, 1)])}"/>'


def _epochs(most: int) -> list[int]:
    step = max(1, round_above((most - 1) / 8)) if most > 8 else 1
    return list(range(1, most + 1, int(step)))


def _figure(
    frame: Frame,
    said: Legend,
    x_ticks: Sequence[float],
    y_ticks: Sequence[float],
    drawn: list[str],
) -> str:
    """The axes with what is drawn between them; title and description name it to who cannot see it."""
    ticks = [_x_tick(frame, value) for value in x_ticks] + [
        _y_tick(frame, value) for value in y_ticks
    ]
    middle_x = (frame.left + frame.width - frame.right) / 2
    middle_y = (frame.top + frame.height - frame.bottom) / 2
    axes = (
        f'<text class="axis" x="{middle_x}" y="{frame.height - 10}" text-anchor="middle">{escape(said.x)}</text>'
        f'<text class="axis" transform="translate(14 {middle_y}) rotate(-90)" text-anchor="middle">{escape(said.y)}</text>'
    )
    named = f"{said.key}-title", f"{said.key}-desc"
    return (
        f'<svg class="plot" role="img" viewBox="0 0 {frame.width} {frame.height}" aria-labelledby="{named[0]} {named[1]}">'
        f'<title id="{named[0]}">{escape(said.title)}</title><desc id="{named[1]}">{escape(said.desc)}</desc>'
        f"{''.join(ticks)}{axes}{''.join(drawn)}</svg>"
    )


def _x_tick(frame: Frame, value: float) -> str:
    x = frame.x(value)
    floor = frame.height - frame.bottom
    line = f'<line class="grid" x1="{x}" x2="{x}" y1="{frame.top}" y2="{floor}"/>'
    return f'{line}<text class="tick" x="{x}" y="{floor + 16}" text-anchor="middle">{value:g}</text>'


def _y_tick(frame: Frame, value: float) -> str:
    y = frame.y(value)
    right = frame.width - frame.right
    line = f'<line class="grid" x1="{frame.left}" x2="{right}" y1="{y}" y2="{y}"/>'
    return f'{line}<text class="tick" x="{frame.left - 6}" y="{y + 4}" text-anchor="end">{value:g}</text>'
