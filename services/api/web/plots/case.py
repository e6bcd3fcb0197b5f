"""Figures of one case as SVG text: the risk on its scale, and the outline over the image.

Colours, strokes and letters are the style sheet's, by class.
"""

from collections.abc import Mapping
from html import escape
from typing import Any

from services.api.reports import sentences
from services.api.reports.sentences import Say, percent
from shared.domain.results.result import Result

WIDTH = 360
HEIGHT = 96
LEFT = 14
SPAN = 332
TOP = 34
THICK = 20
"""Of the scale, in pixels of its own view: where 0 % lies, how far it is to 100 %, and the bar."""
EDGE = 62
"""The middle of a mark's words comes no nearer to the left or right, so that they are not cut off."""


def scale(say: Say, result: Result) -> str:
    """A bar from 0 to 100 %, filled up to the risk, the cut-off marked above it and the prevalence below."""
    filled = round(SPAN * result.risk, 1)
    bar = (
        f'<rect class="ground" x="{LEFT}" y="{TOP}" width="{SPAN}" height="{THICK}"/>'
        f'<rect class="risk {escape(result.decision)}" x="{LEFT}" y="{TOP}" width="{filled}" height="{THICK}"/>'
    )
    marks = [
        _mark(
            "prevalence", say, result.prevalence, TOP, TOP + THICK + 8, TOP + THICK + 22
        ),
        _mark("cutoff", say, result.cutoff_risk, TOP - 8, TOP + THICK, TOP - 14),
    ]
    named = (
        f'<title id="scale-title">{escape(say("result.risk.title"))}</title>'
        f'<desc id="scale-desc">{escape(sentences.scale_says(say, result))}</desc>'
    )
    opened = f'<svg class="plot scale" role="img" viewBox="0 0 {WIDTH} {HEIGHT}" aria-labelledby="scale-title scale-desc">'
    return f"{opened}{named}{bar}{''.join(marks)}{_ends()}</svg>"


def outline(roi: Mapping[str, Any] | None, width: int, height: int) -> str:
    """What the reader outlined or caliper marks enclose, over an image of this size in pixels; empty for none."""
    if roi is None:
        return ""
    if "box" in roi:
        x, y, across, down = roi["box"]
        shape = f'<rect class="{{}}" x="{x:g}" y="{y:g}" width="{across:g}" height="{down:g}"/>'
    else:
        shape = f'<polygon class="{{}}" points="{" ".join(f"{x:g},{y:g}" for x, y in roi["polygon"])}"/>'
    drawn = shape.format("halo") + shape.format("line")
    return f'<svg class="outline" viewBox="0 0 {width} {height}" preserveAspectRatio="none" aria-hidden="true">{drawn}</svg>'


def _mark(
    name: str, say: Say, share: float, top: float, foot: float, words: float
) -> str:
    """A line across the bar from `top` to `foot`; its words stand on `words`."""
    x = round(LEFT + SPAN * share, 1)
    middle = min(max(x, EDGE), WIDTH - EDGE)
    said = escape(say(f"result.risk.{name}", **{name: percent(share)}))
    line = f'<line class="mark {name}" x1="{x}" x2="{x}" y1="{top}" y2="{foot}"/>'
    return f'{line}<text class="{name}" x="{middle}" y="{words}" text-anchor="middle">{said}</text>'


def _ends() -> str:
    low = (
        f'<text class="tick" x="{LEFT}" y="{HEIGHT - 4}" text-anchor="start">0 %</text>'
    )
    return f'{low}<text class="tick" x="{LEFT + SPAN}" y="{HEIGHT - 4}" text-anchor="end">100 %</text>'
