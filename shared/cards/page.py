"""Renders the JSON of a model card as one self-contained page.

The page has no script and fetches nothing. It is readable on a phone and on paper.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from shared.cards.decision_curve import curve_figure

TEMPLATES = Path(__file__).parent / "templates"
PAGE_TARGETS = (0.8, 0.85, 0.9, 0.95, 0.97, 0.99)
PAGE_ALPHAS = (0.01, 0.05, 0.1, 0.2, 0.3)
PAGE_THRESHOLDS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5)
"""The values that a page shows. The JSON has all values."""


def render(card: Mapping[str, Any]) -> str:
    """Render the page of a card that `shared.bundles.card` made."""
    templates = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {"percent": percent, "rate": rate, "figure": figure}
    templates.filters["net_benefit"] = net_benefit
    # The cards of earlier releases, which the ledger keeps, have neither curves nor a judgement.
    curves = card.get("decision_curves") or []
    return templates.get_template("card.html").render(
        card=card,
        css=(TEMPLATES / "card.css").read_text(encoding="utf-8"),
        points=_rows_to_show(card["operating_points"], "target", PAGE_TARGETS),
        sets=_rows_to_show(card["conformal"], "alpha", PAGE_ALPHAS),
        gate=card.get("gate"),
        intervals=card.get("risk_intervals"),
        left_out=card.get("left_out_sites"),
        curves=[(curve, curve_figure(curve), _curve_rows(curve)) for curve in curves],
    )


def net_benefit(value: float) -> str:
    """Format a net benefit per 100 nodules, such as `12.3` or `−4.0`."""
    return f"{100 * value:.1f}".replace("-", "\N{MINUS SIGN}")


def percent(share: float | None, digits: int = 1) -> str:
    return "–" if share is None else f"{100 * share:.{digits}f}\u00a0%"


def rate(values: Mapping[str, Any] | None) -> str:
    """Format a rate with its interval, such as `93.2 % (90.1–95.4)`.

    A line can break only before the bracket.
    """
    if values is None or values["value"] is None:
        return "–"
    text = percent(values["value"])
    if values["low"] is None:
        return text
    low = 100 * values["low"]
    high = 100 * values["high"]
    return f"{text} ({low:.1f}–{high:.1f})"


def figure(values: Mapping[str, Any]) -> str:
    """Format a figure with its interval, if it has one, such as `0.932 (0.901–0.954)`."""
    text = f"{values['value']:.3f}"
    if values["low"] is None:
        return text
    return f"{text} ({values['low']:.3f}–{values['high']:.3f})"


def _curve_rows(curve: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return _rows_to_show(curve["points"], "threshold", PAGE_THRESHOLDS)


def _rows_to_show(
    rows: list[Mapping[str, Any]] | None, column: str, shown_values: tuple[float, ...]
) -> list[Mapping[str, Any]]:
    """Return the rows whose value in `column` is one of `shown_values`."""
    return [row for row in rows or [] if _is_one_of(row[column], shown_values)]


def _is_one_of(value: float, values: tuple[float, ...]) -> bool:
    return any(abs(value - shown_value) < 1e-9 for shown_value in values)
