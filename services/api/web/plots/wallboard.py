"""Sparklines as SVG text: how a figure of the wall went over its window. Colours are the style sheet's, by class."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape

WIDTH = 300
HEIGHT = 60
PAD = 3
Values = Sequence[float | None]
Point = tuple[float, float]


def sparkline(key: str, title: str, desc: str, lines: Mapping[str, Values]) -> str:
    """Lines over the same steps, from 0 at the bottom to the highest value of all.

    Parameters
    ----------
    key : unique in the page
    title, desc : say the figure to who cannot see it
    lines : class of the line -> its values, oldest first; None leaves a gap
    """
    top = (
        max(
            (
                value
                for values in lines.values()
                for value in values
                if value is not None
            ),
            default=0.0,
        )
        or 1.0
    )
    drawn = "".join(_line(name, values, top) for name, values in lines.items())
    return (
        f'<svg class="spark" role="img" viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" '
        f'aria-labelledby="{key}-title {key}-desc"><title id="{key}-title">{escape(title)}</title>'
        f'<desc id="{key}-desc">{escape(desc)}</desc>{drawn}</svg>'
    )


def _line(name: str, values: Values, top: float) -> str:
    step = WIDTH / max(len(values) - 1, 1)
    tall = HEIGHT - 2 * PAD
    runs_at = [
        [(place * step, HEIGHT - PAD - value / top * tall) for place, value in run]
        for run in runs(values)
    ]
    return "".join(
        _piece(name, points if len(points) > 1 else _dash(points[0], step))
        for points in runs_at
    )


def _dash(point: Point, step: float) -> list[Point]:
    """A value between two gaps, wide enough to be seen."""
    x, y = point
    return [(max(x - step / 3, 0), y), (min(x + step / 3, WIDTH), y)]


def _piece(name: str, points: Sequence[Point]) -> str:
    told = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return (
        f'<polyline class="{name}" vector-effect="non-scaling-stroke" points="{told}"/>'
    )


def runs(values: Values) -> Iterator[list[tuple[int, float]]]:
    """Stretches without a gap, as (place, value)."""
    run: list[tuple[int, float]] = []
    for place, value in enumerate(values):
        if value is not None:
            run.append((place, value))
        elif run:
            yield run
            run = []
    if run:
        yield run
