"""Figures of one case as SVG text: the risk on its scale, and the outline over the image.

Colours, strokes and fonts are in the style sheet, by class.
"""

from collections.abc import Mapping
from html import escape
from typing import Any

from services.api.reports import sentences
from services.api.reports.sentences import Translate, percent
from shared.domain.results.result import Result

WIDTH = 360
HEIGHT = 96
LEFT = 14
SPAN = 332
TOP = 34
BAR_HEIGHT = 20
"""The scale in pixels of its view box: size, x of 0 %, width up to 100 %, and the bar."""
LABEL_MARGIN = 62
"""Least distance of a label's middle from the left and right edge, so that it is not cut off."""


def risk_scale(say: Translate, result: Result) -> str:
    """A bar from 0 to 100 %, filled up to the risk, with the risk's interval as a band in it.

    The cut-off is marked above the bar, the prevalence below it.
    """
    filled = round(SPAN * result.risk, 1)
    bar = (
        f'<rect class="ground" x="{LEFT}" y="{TOP}" width="{SPAN}" height="{BAR_HEIGHT}"/>'
        f'<rect class="risk" x="{LEFT}" y="{TOP}"'
        f' width="{filled}" height="{BAR_HEIGHT}"/>'
    )
    if result.risk_interval is not None:
        bar += _interval_band(result.risk_interval)
    bottom = TOP + BAR_HEIGHT
    prevalence = _mark(
        name="prevalence",
        text=sentences.prevalence_mark(say, result),
        share=result.prevalence,
        y=(TOP, bottom + 8),
        text_y=bottom + 22,
    )
    cutoff = _mark(
        name="cutoff",
        text=say("result.risk.cutoff", cutoff=percent(result.cutoff_risk)),
        share=result.cutoff_risk,
        y=(TOP - 8, bottom),
        text_y=TOP - 14,
    )
    title = escape(say("result.risk.title"))
    description = escape(
        f"{sentences.scale_sentence(say, result)} {sentences.prevalence_sentence(say, result)} "
        f"{sentences.interval_sentence(say, result)}".rstrip()
    )
    return (
        f'<svg class="plot scale" role="img" viewBox="0 0 {WIDTH} {HEIGHT}"'
        ' aria-labelledby="scale-title scale-desc">'
        f'<title id="scale-title">{title}</title><desc id="scale-desc">{description}</desc>'
        f"{bar}{prevalence}{cutoff}{_ends()}</svg>"
    )


def outline(roi: Mapping[str, Any] | None, width: int, height: int) -> str:
    """The reader's outline, or the region between caliper marks, over an image of this size.

    Sizes and coordinates are in pixels. Empty for no region.
    """
    if roi is None:
        return ""
    if "box" in roi:
        x, y, box_width, box_height = roi["box"]
        shape = (
            f'<rect class="{{}}" x="{x:g}" y="{y:g}"'
            f' width="{box_width:g}" height="{box_height:g}"/>'
        )
    else:
        points = " ".join(f"{x:g},{y:g}" for x, y in roi["polygon"])
        shape = f'<polygon class="{{}}" points="{points}"/>'
    halo = shape.format("halo")
    line = shape.format("line")
    return (
        f'<svg class="outline" viewBox="0 0 {width} {height}" preserveAspectRatio="none"'
        f' aria-hidden="true">{halo}{line}</svg>'
    )


def _interval_band(interval: tuple[float, float]) -> str:
    """A band in the middle third of the bar."""
    low, high = interval
    start = round(LEFT + SPAN * low, 1)
    width = round(SPAN * (high - low), 1)
    third = round(BAR_HEIGHT / 3, 1)
    return (
        f'<rect class="interval" x="{start}" y="{round(TOP + third, 1)}"'
        f' width="{width}" height="{third}"/>'
    )


def _mark(
    *, name: str, text: str, share: float, y: tuple[float, float], text_y: float
) -> str:
    """A line across the bar at `share`, from y[0] to y[1], with its text at `text_y`."""
    x = round(LEFT + SPAN * share, 1)
    middle = min(max(x, LABEL_MARGIN), WIDTH - LABEL_MARGIN)
    line = f'<line class="mark {name}" x1="{x}" x2="{x}" y1="{y[0]}" y2="{y[1]}"/>'
    label = (
        f'<text class="{name}" x="{middle}" y="{text_y}" text-anchor="middle">'
        f"{escape(text)}</text>"
    )
    return line + label


def _ends() -> str:
    """The labels of both ends."""
    y = HEIGHT - 4
    return (
        f'<text class="tick" x="{LEFT}" y="{y}" text-anchor="start">0 %</text>'
        f'<text class="tick" x="{LEFT + SPAN}" y="{y}" text-anchor="end">100 %</text>'
    )
