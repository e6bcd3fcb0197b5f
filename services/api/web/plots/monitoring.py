"""Figures of the monitoring page as SVG text: drift of a quantity, and rates over time.

Colours, strokes and fonts are in the style sheet, by class. Coordinates are pixels of the view box.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape

from services.api.monitoring.schemas import QuantityDrift
from services.api.web.plots.models import FigureText, Frame

Step = tuple[str, float | None, float, float]
"""Name of the step, its value (None: nothing was counted), and the low and high of its interval."""


@dataclass(frozen=True)
class StepValue:
    """A step with a value; `index` counts all steps from 0."""

    index: int
    name: str
    value: float
    low: float
    high: float


MIN_SCALE_PSI = 0.4
"""PSI at the right end of a gauge, unless the value or its limits are higher."""
GAUGE = Frame(width=300, height=58, left=4, right=4, top=6, bottom=26)
RATES = Frame(width=360, height=190, left=40, right=10, top=12, bottom=34)


def gauge(drift: QuantityDrift, text: FigureText) -> str:
    """The population stability index on a scale, with the limits for watching and for an alarm."""
    scale_end = max(MIN_SCALE_PSI, drift.alarm_from * 1.4, drift.psi * 1.1)
    frame = replace(GAUGE, high=(scale_end, 1.0))
    zones = [
        _zone(frame, "ok", 0.0, drift.watch_from),
        _zone(frame, "watch", drift.watch_from, drift.alarm_from),
        _zone(frame, "alarm", drift.alarm_from, scale_end),
    ]
    limits = [_limit(frame, drift.watch_from), _limit(frame, drift.alarm_from)]
    x = frame.x(drift.psi)
    bottom = frame.height - frame.bottom
    pointer = (
        f'<path class="mark" d="M{x} {frame.top - 4}V{bottom + 4}m-5 5l5 -7l5 7z"/>'
    )
    return _svg(frame, text, "gauge", [*zones, *limits, pointer])


def through_time(steps: Sequence[Step], text: FigureText) -> str:
    """Rates from 0 to 1, step by step, each with its interval."""
    frame = replace(RATES, low=(-0.5, 0.0), high=(max(len(steps), 2) - 0.5, 1.0))
    levels = [_level(frame, value) for value in (0.0, 0.5, 1.0)]
    names = [
        _step_name(frame, index, step[0], len(steps))
        for index, step in enumerate(steps)
    ]
    values = _values(steps)
    intervals = [_interval(frame, value) for value in values]
    points = frame.polyline_points([(value.index, value.value) for value in values])
    line = f'<polyline class="first" points="{points}"/>'
    dots = [_dot(frame, value) for value in values]
    return _svg(frame, text, "rates", [*levels, *names, *intervals, line, *dots])


def _values(steps: Sequence[Step]) -> list[StepValue]:
    return [
        StepValue(index=index, name=name, value=value, low=low, high=high)
        for index, (name, value, low, high) in enumerate(steps)
        if value is not None
    ]


def _zone(frame: Frame, name: str, low: float, high: float) -> str:
    left = frame.x(low)
    width = max(0, frame.x(high) - left)
    height = frame.height - frame.top - frame.bottom
    return (
        f'<rect class="zone {name}" x="{left}" y="{frame.top}"'
        f' width="{width:.1f}" height="{height}"/>'
    )


def _limit(frame: Frame, value: float) -> str:
    x = frame.x(value)
    bottom = frame.height - frame.bottom
    return (
        f'<line class="axis" x1="{x}" x2="{x}" y1="{frame.top}" y2="{bottom + 5}"/>'
        f'<text x="{x}" y="{bottom + 19}" text-anchor="middle">{value:.2f}</text>'
    )


def _level(frame: Frame, value: float) -> str:
    y = frame.y(value)
    right = frame.width - frame.right
    return (
        f'<line class="gridline" x1="{frame.left}" x2="{right}" y1="{y}" y2="{y}"/>'
        f'<text x="{frame.left - 6}" y="{y + 4}" text-anchor="end">{value:g}</text>'
    )


def _step_name(frame: Frame, index: int, name: str, count_steps: int) -> str:
    """A name under the axis. Only about five are shown, as there is no room for more."""
    if index % -(-count_steps // 5):
        return ""
    x = frame.x(index)
    y = frame.height - 12
    return f'<text x="{x}" y="{y}" text-anchor="middle">{escape(name)}</text>'


def _interval(frame: Frame, value: StepValue) -> str:
    x = frame.x(value.index)
    low = frame.y(value.low)
    high = frame.y(value.high)
    return f'<line class="whisker" x1="{x}" x2="{x}" y1="{low}" y2="{high}"/>'


def _dot(frame: Frame, value: StepValue) -> str:
    title = f"{value.name}: {value.value:.2f} ({value.low:.2f}–{value.high:.2f})"
    return (
        f'<circle class="dot" cx="{frame.x(value.index)}" cy="{frame.y(value.value)}" r="4">'
        f"<title>{escape(title)}</title></circle>"
    )


def _svg(frame: Frame, text: FigureText, kind: str, shapes: Sequence[str]) -> str:
    """Title and description name the figure to screen readers."""
    title_id = f"{text.key}-title"
    description_id = f"{text.key}-desc"
    return (
        f'<svg class="plot {kind}" role="img" viewBox="0 0 {frame.width} {frame.height}" '
        f'aria-labelledby="{title_id} {description_id}">'
        f'<title id="{title_id}">{escape(text.title)}</title>'
        f'<desc id="{description_id}">{escape(text.desc)}</desc>{"".join(shapes)}</svg>'
    )
