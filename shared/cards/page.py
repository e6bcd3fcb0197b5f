"""From a card's JSON to one self-contained page: no script, nothing fetched, readable on a phone and on paper."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

TEMPLATES = Path(__file__).parent / "templates"
SHOWN_TARGETS = (0.8, 0.85, 0.9, 0.95, 0.97, 0.99)
SHOWN_ALPHAS = (0.01, 0.05, 0.1, 0.2, 0.3)
"""The JSON holds every one; a page shows enough to choose by."""


def render(card: Mapping[str, Any]) -> str:
    """The page of a card that `shared.bundles.card.card` made."""
    pages = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.filters |= {"percent": percent, "rate": rate, "figure": figure}
    return pages.get_template("card.html").render(
        card=card,
        css=(TEMPLATES / "card.css").read_text(encoding="utf-8"),
        points=_shown(card["operating_points"], "target", SHOWN_TARGETS),
        sets=_shown(card["conformal"], "alpha", SHOWN_ALPHAS),
    )


def percent(share: float | None, digits: int = 1) -> str:
    return "–" if share is None else f"{100 * share:.{digits}f}\u00a0%"


def rate(found: Mapping[str, Any] | None) -> str:
    """A rate with its interval: `93.2 % (90.1–95.4)`, to be broken before the bracket only."""
    if found is None or found["value"] is None:
        return "–"
    told = percent(found["value"])
    return (
        told
        if found["low"] is None
        else f"{told} ({100 * found['low']:.1f}–{100 * found['high']:.1f})"
    )


def figure(found: Mapping[str, Any]) -> str:
    """A figure with its interval, where there is one: `0.932 (0.901–0.954)`."""
    told = f"{found['value']:.3f}"
    return (
        told
        if found["low"] is None
        else f"{told} ({found['low']:.3f}–{found['high']:.3f})"
    )


def _shown(
    rows: list[Mapping[str, Any]] | None, name: str, wanted: tuple[float, ...]
) -> list[Mapping[str, Any]]:
    return [
        row
        for row in rows or []
        if any(abs(row[name] - each) < 1e-9 for each in wanted)
    ]
