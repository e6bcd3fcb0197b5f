"""Figures of one case as SVG text: the risk on its scale, and the outline over the image.

Colours, strokes and fonts are in the style sheet, by class.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import Any

from services.api.reports import sentences
from services.api.reports.sentences import Translate, risk_percent
from shared.domain.results.result import Result
from shared.guidelines import RULES

WIDTH = 480
HEIGHT = 72
LEFT = 8
SPAN = 464
TOP = 24
BAR_HEIGHT = 30
"""The scale in pixels of its view box: size, x of 0 %, width up to 100 %, and the bar."""
LABEL_MARGIN = 62
"""Least distance of a label's middle from the left and right edge, so that it is not cut off."""


@dataclass(frozen=True)
class ScaleBand:
    """The risks of one level, 0 to 1, and its name; None for a scale without levels."""

    level: str | None
    low: float
    high: float


@dataclass(frozen=True)
class RiskScale:
    """A scale on which each band has the same width, so that low bands can be read."""

    bands: tuple[ScaleBand, ...]

    def x(self, risk: float) -> float:
        """The place of a risk in pixels of the view box."""
        width = SPAN / len(self.bands)
        for index, band in enumerate(self.bands):
            if risk <= band.high:
                share = (risk - band.low) / (band.high - band.low)
                return round(LEFT + width * (index + share), 1)
        return LEFT + SPAN


def scale_of(result: Result) -> RiskScale:
    """The bands of the rule that the advice follows; one band without advice."""
    rule = RULES.get(result.fna.rule) if result.fna else None
    if rule is None:
        return RiskScale((ScaleBand(None, 0.0, 1.0),))
    limits = [0.0, *(min(band.limit, 1.0) for band in rule.bands)]
    return RiskScale(
        tuple(
            ScaleBand(band.level, low, high)
            for band, (low, high) in zip(rule.bands, pairwise(limits), strict=True)
        )
    )


def risk_scale(say: Translate, result: Result) -> str:
    """A bar from 0 to 100 % in the bands of the guideline, with the risk as a mark and its interval
    as a beam across it. The cut-off is marked above the bar.
    """
    scale = scale_of(result)
    bottom = TOP + BAR_HEIGHT
    parts = [_band(say, scale, index) for index in range(len(scale.bands))]
    if result.risk_interval is not None:
        parts.append(_interval(scale, result.risk_interval))
    parts.append(_risk_mark(scale.x(result.risk)))
    parts.append(
        _mark(
            name="cutoff",
            text=say("result.risk.cutoff", cutoff=risk_percent(result.cutoff_risk)),
            x=scale.x(result.cutoff_risk),
            y=(TOP - 6, bottom),
            text_y=TOP - 10,
        )
    )
    parts.append(_ticks(scale))
    title = escape(say("result.risk.title"))
    description = escape(
        f"{sentences.scale_sentence(say, result)} {sentences.prevalence_sentence(say, result)} "
        f"{sentences.interval_sentence(say, result)}".rstrip()
    )
    return (
        f'<svg class="plot scale" role="img" viewBox="0 0 {WIDTH} {HEIGHT}"'
        ' aria-labelledby="scale-title scale-desc">'
        f'<title id="scale-title">{title}</title><desc id="scale-desc">{description}</desc>'
        f"{''.join(parts)}</svg>"
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


def _band(say: Translate, scale: RiskScale, index: int) -> str:
    """A band with the name of its level."""
    band = scale.bands[index]
    x = scale.x(band.low)
    width = round(scale.x(band.high) - x, 1)
    tint = index if band.level else 0
    rectangle = (
        f'<rect class="band band-{tint}" x="{x}" y="{TOP}"'
        f' width="{width}" height="{BAR_HEIGHT}"/>'
    )
    if band.level is None:
        return rectangle
    middle = round(x + width / 2, 1)
    name = escape(sentences.level(say, band.level))
    return (
        f'{rectangle}<text class="level" x="{middle}" y="{TOP + 12}"'
        f' text-anchor="middle">{name}</text>'
    )


def _interval(scale: RiskScale, interval: tuple[float, float]) -> str:
    """A beam with an end stop on each side, in the lower part of the bar."""
    low, high = (scale.x(end) for end in interval)
    y = TOP + BAR_HEIGHT - 9
    return f'<path class="interval" d="M{low} {y - 4}v8M{high} {y - 4}v8M{low} {y}H{high}"/>'


def _risk_mark(x: float) -> str:
    """A diamond on the beam, which ends in the bar's lower edge."""
    y = TOP + BAR_HEIGHT - 9
    return f'<path class="risk" d="M{x} {y - 7}l6 7l-6 7l-6 -7z"/>'


def _mark(
    *, name: str, text: str, x: float, y: tuple[float, float], text_y: float
) -> str:
    """A line across the bar from y[0] to y[1], with its text at `text_y`."""
    middle = min(max(x, LABEL_MARGIN), WIDTH - LABEL_MARGIN)
    line = f'<line class="mark {name}" x1="{x}" x2="{x}" y1="{y[0]}" y2="{y[1]}"/>'
    label = (
        f'<text class="{name}" x="{middle}" y="{text_y}" text-anchor="middle">'
        f"{escape(text)}</text>"
    )
    return line + label


def _ticks(scale: RiskScale) -> str:
    """The limits of the bands below the bar."""
    limits = [scale.bands[0].low, *(band.high for band in scale.bands)]
    y = TOP + BAR_HEIGHT + 15
    anchors = ["start", *["middle"] * (len(limits) - 2), "end"]
    return "".join(
        f'<text class="tick" x="{scale.x(limit)}" y="{y}" text-anchor="{anchor}">'
        f"{100 * limit:g} %</text>"
        for limit, anchor in zip(limits, anchors, strict=True)
    )
