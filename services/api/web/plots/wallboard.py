"""Sparklines as SVG text: how a figure of the wallboard changed over its window.

Colours are in the style sheet, by class.
"""

from collections.abc import Iterator, Mapping, Sequence
from html import escape

WIDTH = 300
HEIGHT = 60
PADDING = 3
Values = Sequence[float | None]
Point = tuple[float, float]


def sparkline(*, key: str, title: str, desc: str, lines: Mapping[str, Values]) -> str:
    """Lines over the same steps, from 0 at the bottom to the highest value of all.

    Parameters
    ----------
    key : unique in the page
    title, desc : name the figure to screen readers
    lines : class of the line -> its values, oldest first; None leaves a gap
    """
    top = _highest(lines) or 1.0
    polylines = "".join(_line(name, values, top) for name, values in lines.items())
    return (
        f'<svg class="spark" role="img" viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" '
        f'aria-labelledby="{key}-title {key}-desc">'
        f'<title id="{key}-title">{escape(title)}</title>'
        f'<desc id="{key}-desc">{escape(desc)}</desc>{polylines}</svg>'
    )


def _highest(lines: Mapping[str, Values]) -> float:
    """The highest value of all lines; 0 if there is no value."""
    highest = 0.0
    for values in lines.values():
        highest = max(highest, *(value for value in values if value is not None), 0.0)
    return highest


def _line(name: str, values: Values, top: float) -> str:
    """A polyline for each stretch without a gap."""
    step = WIDTH / max(len(values) - 1, 1)
    inner_height = HEIGHT - 2 * PADDING
    polylines = []
    for run in runs(values):
        points = [
            (index * step, HEIGHT - PADDING - value / top * inner_height)
            for index, value in run
        ]
        if len(points) == 1:
            points = _dash(points[0], step)
        polylines.append(_polyline(name, points))
    return "".join(polylines)


def _dash(point: Point, step: float) -> list[Point]:
    """A single value between two gaps, widened so that it is visible."""
    x, y = point
    return [(max(x - step / 3, 0), y), (min(x + step / 3, WIDTH), y)]


def _polyline(name: str, points: Sequence[Point]) -> str:
    coordinates = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline class="{name}" vector-effect="non-scaling-stroke" points="{coordinates}"/>'


def runs(values: Values) -> Iterator[list[tuple[int, float]]]:
    """Stretches without a gap, as (index, value)."""
    run: list[tuple[int, float]] = []
    for index, value in enumerate(values):
        if value is not None:
            run.append((index, value))
        elif run:
            yield run
            run = []
    if run:
        yield run
