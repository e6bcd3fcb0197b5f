"""Figures of what is watched, as SVG text: how far a quantity has drifted, and rates through time.

Colours, strokes and letters are the style sheet's, by class; numbers are in pixels of the figure's own view.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape

from services.api.monitoring.schemas import QuantityDrift
from services.api.web.plots.models import Frame, Legend

Step = tuple[str, float | None, float, float]
"""Name of the step, value (None: nothing was counted), and its interval from and to."""


@dataclass(frozen=True)
class Measured:
    """A step in which something was counted; `place` counts steps from 0."""

    place: int
    name: str
    value: float
    low: float
    high: float


LEAST_SCALE = 0.4
"""PSI at the right end of a gauge; more if there is more."""
GAUGE = Frame(width=300, height=58, left=4, right=4, top=6, bottom=26)
RATES = Frame(width=360, height=190, left=40, right=10, top=12, bottom=34)


def gauge(each: QuantityDrift, said: Legend) -> str:
    """The stability index on a scale with the limits from which to watch and to be alarmed."""
    frame = _scaled(max(LEAST_SCALE, each.alarm_from * 1.4, each.psi * 1.1))
    zones = (("ok", 0.0, each.watch_from), ("watch", each.watch_from, each.alarm_from))
    drawn = [
        _zone(frame, *zone)
        for zone in (*zones, ("alarm", each.alarm_from, frame.high[0]))
    ]
    drawn += [_limit(frame, value) for value in (each.watch_from, each.alarm_from)]
    x = frame.x(each.psi)
    top = frame.top
    floor = frame.height - frame.bottom
    mark = f'<path class="mark" d="M{x} {top - 4}V{floor + 4}m-5 5l5 -7l5 7z"/>'
    return _svg(frame, said, "gauge", [*drawn, mark])


def through_time(steps: Sequence[Step], said: Legend) -> str:
    """Rates from 0 to 1, step by step, each with its interval."""
    frame = replace(RATES, low=(-0.5, 0.0), high=(max(len(steps), 2) - 0.5, 1.0))
    measured = _measured(steps)
    drawn = [_level(frame, value) for value in (0.0, 0.5, 1.0)]
    drawn += [
        _name(frame, place, step[0], len(steps)) for place, step in enumerate(steps)
    ]
    drawn += [_interval(frame, step) for step in measured]
    line = frame.at([(step.place, step.value) for step in measured])
    return _svg(
        frame,
        said,
        "rates",
        [*drawn, f'<polyline class="first" points="{line}"/>', *_dots(frame, measured)],
    )


def _measured(steps: Sequence[Step]) -> list[Measured]:
    return [
        Measured(place=place, name=name, value=value, low=low, high=high)
        for place, (name, value, low, high) in enumerate(steps)
        if value is not None
    ]


def _scaled(high: float) -> Frame:
    return replace(GAUGE, high=(high, 1.0))


def _zone(frame: Frame, name: str, low: float, high: float) -> str:
    left = frame.x(low)
    right = frame.x(high)
    height = frame.height - frame.top - frame.bottom
    return f'<rect class="zone {name}" x="{left}" y="{frame.top}" width="{max(0, right - left):.1f}" height="{height}"/>'


def _limit(frame: Frame, value: float) -> str:
    x = frame.x(value)
    floor = frame.height - frame.bottom
    line = f'<line class="axis" x1="{x}" x2="{x}" y1="{frame.top}" y2="{floor + 5}"/>'
    return (
        f'{line}<text x="{x}" y="{floor + 19}" text-anchor="middle">{value:.2f}</text>'
    )


def _level(frame: Frame, value: float) -> str:
    y = frame.y(value)
    right = frame.width - frame.right
    line = f'<line class="gridline" x1="{frame.left}" x2="{right}" y1="{y}" y2="{y}"/>'
    return f'{line}<text x="{frame.left - 6}" y="{y + 4}" text-anchor="end">{value:g}</text>'


def _name(frame: Frame, place: int, name: str, steps: int) -> str:
    """Not more names than there is room for."""
    if place % -(-steps // 5):
        return ""
    return f'<text x="{frame.x(place)}" y="{frame.height - 12}" text-anchor="middle">{escape(name)}</text>'


def _interval(frame: Frame, step: Measured) -> str:
    x = frame.x(step.place)
    low = frame.y(step.low)
    high = frame.y(step.high)
    return f'<line class="whisker" x1="{x}" x2="{x}" y1="{low}" y2="{high}"/>'


def _dots(frame: Frame, measured: Sequence[Measured]) -> list[str]:
    return [
        f'<circle class="dot" cx="{frame.x(step.place)}" cy="{frame.y(step.value)}" r="4">'
        f"<title>{escape(step.name)}: {step.value:.2f} ({step.low:.2f}–{step.high:.2f})</title></circle>"
        for step in measured
    ]


def _svg(frame: Frame, said: Legend, kind: str, drawn: Sequence[str]) -> str:
    """Title and description name it to who cannot see it."""
    named = f"{said.key}-title", f"{said.key}-desc"
    return (
        f'<svg class="plot {kind}" role="img" viewBox="0 0 {frame.width} {frame.height}" '
        f'aria-labelledby="{named[0]} {named[1]}"><title id="{named[0]}">{escape(said.title)}</title>'
        f'<desc id="{named[1]}">{escape(said.desc)}</desc>{"".join(drawn)}</svg>'
    )
