"""Figures of a model as SVG text: ROC curves, calibration, and learning curves by epoch.

Colours, strokes and fonts are in the style sheet, by class. Coordinates are pixels of the view box.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, log10
from typing import TypedDict

from services.api.web.languages import Translations

Point = tuple[float, float]
UNIT_TICKS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
MIN_RADIUS = 3.0
MAX_RADIUS = 9.0


@dataclass(frozen=True)
class Frame:
    """Maps data between `low` and `high` to pixels inside the margins of a figure."""

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
        """Pixels from the top; greater values lie higher."""
        share = (value - self.low[1]) / (self.high[1] - self.low[1])
        return round(
            self.height - self.bottom - share * (self.height - self.top - self.bottom),
            1,
        )

    def polyline_points(self, points: Iterable[Sequence[float]]) -> str:
        return " ".join(f"{self.x(point[0])},{self.y(point[1])}" for point in points)


@dataclass(frozen=True)
class FigureText:
    """Title, description and axis labels of a figure, in the visitor's language.

    `key` is unique in the page.
    """

    key: str
    title: str
    desc: str
    x: str
    y: str


class RocCurve(TypedDict):
    """A ROC curve as a gate judgement stores it."""

    points: Sequence[Point]
    """(false positive rate, sensitivity)"""
    band: Sequence[tuple[float, float, float]]
    """(false positive rate, low, high)"""


class Interval(TypedDict):
    low: float
    high: float


class CalibrationBin(TypedDict):
    """Images of similar risk as a gate judgement stores them.

    `interval` is Wilson's interval of `observed`.
    """

    mean_probability: float
    observed: float
    count: int
    malignant: int
    interval: Interval


def figure_text(
    translations: Translations, prefix: str, key: str, **fields: object
) -> FigureText:
    """The texts `PREFIX.title`, `.desc`, `.x` and `.y`, filled with `fields`."""
    return FigureText(
        key=key,
        title=translations(f"{prefix}.title", **fields),
        desc=translations(f"{prefix}.desc", **fields),
        x=translations(f"{prefix}.x", **fields),
        y=translations(f"{prefix}.y", **fields),
    )


def roc(sides: Mapping[str, RocCurve], text: FigureText) -> str:
    """ROC curves, each with its pointwise band.

    Parameters
    ----------
    sides : class of the curve (`candidate`, `live`) -> the curve
    text : title and axes
    """
    frame = Frame()
    shapes = [_diagonal(frame)]
    for name, side in sides.items():
        upper = [(rate, high) for rate, _, high in side["band"]]
        lower = [(rate, low) for rate, low, _ in reversed(side["band"])]
        points = frame.polyline_points([*upper, *lower])
        shapes.append(f'<polygon class="band {name}" points="{points}"/>')
    for name, side in sides.items():
        points = frame.polyline_points(side["points"])
        shapes.append(f'<polyline class="curve {name}" points="{points}"/>')
    return _figure(
        frame=frame, text=text, x_ticks=UNIT_TICKS, y_ticks=UNIT_TICKS, shapes=shapes
    )


def calibration(sides: Mapping[str, Sequence[CalibrationBin]], text: FigureText) -> str:
    """Stated risk against observed rate, with a point and Wilson's interval for each bin.

    A point is larger the more images its bin has.

    Parameters
    ----------
    sides : class -> bins
    """
    frame = Frame()
    shapes = [_diagonal(frame)]
    counts = [group["count"] for bins in sides.values() for group in bins]
    max_count = max(counts, default=1)
    for name, bins in sides.items():
        shapes += [_whisker(frame, name, group) for group in bins]
        points = frame.polyline_points(_bin_centres(bins))
        shapes.append(f'<polyline class="curve {name}" points="{points}"/>')
        shapes += [_bin_point(frame, name, group, max_count) for group in bins]
    return _figure(
        frame=frame, text=text, x_ticks=UNIT_TICKS, y_ticks=UNIT_TICKS, shapes=shapes
    )


def learning(
    series: Mapping[str, Sequence[Point]], text: FigureText, y_max: float | None = None
) -> str:
    """A figure by epoch, one line for each network and fold.

    Parameters
    ----------
    series : name of the step -> (epoch, value)
    y_max : the upper end of the axis; None: a round number above all values
    """
    points = [point for line in series.values() for point in line]
    last_epoch = max((epoch for epoch, _ in points), default=1)
    highest = max((value for _, value in points), default=1.0)
    top = y_max or round_above(highest)
    frame = Frame(high=(max(last_epoch, 2), top), low=(1, 0), height=220)
    lines = [
        _line(frame, name, number, line)
        for number, (name, line) in enumerate(series.items())
    ]
    return _figure(
        frame=frame,
        text=text,
        x_ticks=_epoch_ticks(int(max(last_epoch, 2))),
        y_ticks=[top * share for share in (0, 0.5, 1)],
        shapes=lines,
    )


def round_above(value: float) -> float:
    """The next of 1, 2, 5, 10, ... times a power of ten."""
    if value <= 0:
        return 1.0
    power = 10.0 ** ceil(log10(value) - 1)
    steps = [step * power for step in (1.0, 2.0, 5.0, 10.0)]
    return next(step for step in steps if step >= value * (1 - 1e-9))


def _line(frame: Frame, name: str, number: int, line: Sequence[Point]) -> str:
    """A curve with a dot at its last point."""
    dot = ""
    if line:
        epoch, value = line[-1]
        dot = f'<circle cx="{frame.x(epoch)}" cy="{frame.y(value)}" r="3"/>'
    return (
        f'<g class="line line-{number % 6}" data-step="{escape(name)}">'
        f"<title>{escape(name)}</title>"
        f'<polyline class="curve" points="{frame.polyline_points(line)}"/>{dot}</g>'
    )


def _whisker(frame: Frame, name: str, group: CalibrationBin) -> str:
    x = frame.x(group["mean_probability"])
    low = frame.y(group["interval"]["low"])
    high = frame.y(group["interval"]["high"])
    return f'<line class="whisker {name}" x1="{x}" x2="{x}" y1="{low}" y2="{high}"/>'


def _bin_point(frame: Frame, name: str, group: CalibrationBin, max_count: int) -> str:
    """A dot whose area grows with the number of images."""
    share = group["count"] / max_count
    radius = round(MIN_RADIUS + (MAX_RADIUS - MIN_RADIUS) * share**0.5, 1)
    x = frame.x(group["mean_probability"])
    y = frame.y(group["observed"])
    counts = f"{group['malignant']} / {group['count']}"
    return (
        f'<circle class="bin {name}" cx="{x}" cy="{y}" r="{radius}">'
        f"<title>{counts}</title></circle>"
    )


def _bin_centres(bins: Sequence[CalibrationBin]) -> list[Point]:
    return [(group["mean_probability"], group["observed"]) for group in bins]


def _diagonal(frame: Frame) -> str:
    points = frame.polyline_points([(0, 0), (1, 1)])
    return f'<polyline class="chance" points="{points}"/>'


def _epoch_ticks(last_epoch: int) -> list[int]:
    """About eight epochs from 1 on."""
    step = max(1, round_above((last_epoch - 1) / 8)) if last_epoch > 8 else 1
    return list(range(1, last_epoch + 1, int(step)))


def _figure(
    *,
    frame: Frame,
    text: FigureText,
    x_ticks: Sequence[float],
    y_ticks: Sequence[float],
    shapes: Sequence[str],
) -> str:
    """Axes with the shapes between them. Title and description are for screen readers."""
    grid = [_x_tick(frame, value) for value in x_ticks]
    grid += [_y_tick(frame, value) for value in y_ticks]
    title_id = f"{text.key}-title"
    description_id = f"{text.key}-desc"
    return (
        f'<svg class="plot" role="img" viewBox="0 0 {frame.width} {frame.height}"'
        f' aria-labelledby="{title_id} {description_id}">'
        f'<title id="{title_id}">{escape(text.title)}</title>'
        f'<desc id="{description_id}">{escape(text.desc)}</desc>'
        f"{''.join(grid)}{_axis_labels(frame, text)}{''.join(shapes)}</svg>"
    )


def _axis_labels(frame: Frame, text: FigureText) -> str:
    middle_x = (frame.left + frame.width - frame.right) / 2
    middle_y = (frame.top + frame.height - frame.bottom) / 2
    return (
        f'<text class="axis" x="{middle_x}" y="{frame.height - 10}" text-anchor="middle">'
        f"{escape(text.x)}</text>"
        f'<text class="axis" transform="translate(14 {middle_y}) rotate(-90)"'
        f' text-anchor="middle">{escape(text.y)}</text>'
    )


def _x_tick(frame: Frame, value: float) -> str:
    x = frame.x(value)
    bottom = frame.height - frame.bottom
    return (
        f'<line class="grid" x1="{x}" x2="{x}" y1="{frame.top}" y2="{bottom}"/>'
        f'<text class="tick" x="{x}" y="{bottom + 16}" text-anchor="middle">{value:g}</text>'
    )


def _y_tick(frame: Frame, value: float) -> str:
    y = frame.y(value)
    right = frame.width - frame.right
    return (
        f'<line class="grid" x1="{frame.left}" x2="{right}" y1="{y}" y2="{y}"/>'
        f'<text class="tick" x="{frame.left - 6}" y="{y + 4}" text-anchor="end">{value:g}</text>'
    )
