"""Monitoring reports as tables for the terminal."""

from collections.abc import Iterable
from typing import Any

from rich.console import JustifyMethod
from rich.markup import escape
from rich.table import Table

NONE = "-"
ALL_DEVICES = "all devices"
UNKNOWN = "unknown device"
STATE_STYLES = {"alarm": "bold red", "watch": "yellow", "ok": "green"}


def drift_table(report: dict[str, Any]) -> Table:
    table = _table(
        "hospital",
        "device",
        "model",
        "results",
        "state",
        "PSI score",
        "PSI strangeness",
        "PSI embedding",
    )
    for group in report["groups"]:
        quantities = {row["quantity"]: row for row in group["quantities"]}
        table.add_row(
            escape(group["hospital"]),
            escape(_device(group)),
            _model(group["model"]),
            str(group["n"]),
            _coloured(group["state"] or "no reference"),
            _psi(quantities.get("score")),
            _psi(quantities.get("strangeness")),
            _psi(quantities.get("embedding")),
        )
    return table


def drift_remarks(report: dict[str, Any]) -> list[str]:
    """Return remarks on every group in a watch or alarm state, then each piece of advice once."""
    remarks = []
    for group in report["groups"]:
        if group["state"] in ("watch", "alarm"):
            sentences = " ".join(group["sentences"][:-1])
            remarks.append(f"{group['hospital']}, {_device(group)}: {sentences}")
    advice = dict.fromkeys(group["sentences"][-1] for group in report["groups"])
    return [*remarks, *advice]


def quality_table(report: dict[str, Any]) -> Table:
    table = _table(
        "hospital",
        "device",
        "results",
        "failed",
        "refer",
        "warnings",
        "failures",
        left=("warnings", "failures"),
    )
    for group in report["groups"]:
        table.add_row(
            escape(group["hospital"]),
            escape(_device(group)),
            str(group["results"]),
            _rate(group["failed"]),
            _rate(group["refer"]),
            _codes(group["warnings"]),
            _codes(group["failures"]),
        )
    return table


def performance_table(report: dict[str, Any]) -> Table:
    table = _table(
        "",
        "outcomes\nof results",
        "malignant",
        "AUC",
        "sensitivity",
        "specificity",
        "found /\nexpected",
        "referred",
    )
    if report["all"]["results"]:
        table.add_row("all", *_performance(report["all"]))
    for group in report["hospitals"]:
        table.add_row(escape(group["hospital"]), *_performance(group["figures"]))
    for step in report["over_time"]:
        table.add_row(step["begins"][:7], *_performance(step["figures"]))
    return table


def coverage_table(report: dict[str, Any]) -> Table:
    table = _table("", "promised", "of benign", "of malignant", "refer", "cases")
    for step in report["all"]:
        table.add_row("all", *_coverage(step))
    for group in report["hospitals"]:
        for step in group["steps"]:
            table.add_row(escape(group["hospital"]), *_coverage(step))
    return table


def _coverage(step: dict[str, Any]) -> list[str]:
    return [
        f"{step['promised']:.0%}",
        _rate(step["benign"]["coverage"]),
        _rate(step["malignant"]["coverage"]),
        _rate(step["all"]["refer"]),
        str(step["all"]["cases"]),
    ]


def _table(*names: str, left: Iterable[str] = ()) -> Table:
    """A table with text columns aligned to the left and figures to the right."""
    left_aligned = {"", "hospital", "device", "model", "state", *left}
    table = Table()
    for name in names:
        justify: JustifyMethod = "left" if name in left_aligned else "right"
        table.add_column(name, justify=justify, overflow="fold")
    return table


def _device(group: dict[str, Any]) -> str:
    if group["level"] == "hospital":
        return ALL_DEVICES
    return str(group["device"] or UNKNOWN)


def _model(model: dict[str, Any]) -> str:
    if model["name"]:
        return f"{model['name']}/{model['version']}"
    return str(model["digest"][:12])


def _psi(quantity: dict[str, Any] | None) -> str:
    if quantity is None:
        return NONE
    return _coloured(quantity["state"], f"{quantity['psi']:.2f}")


def _coloured(state: str, text: str | None = None) -> str:
    style = STATE_STYLES.get(state, "dim")
    return f"[{style}]{text or state}[/]"


def _rate(rate: dict[str, Any]) -> str:
    """A rate with its 95 % interval: 12 % (8-17)."""
    if rate["value"] is None:
        return NONE
    return f"{rate['value']:.0%} ({100 * rate['low']:.0f}-{100 * rate['high']:.0f})"


def _codes(rows: list[dict[str, Any]]) -> str:
    if not rows:
        return NONE
    return ", ".join(f"{row['code']} {row['rate']['value']:.0%}" for row in rows)


def _performance(figures: dict[str, Any]) -> tuple[str, ...]:
    auc = figures["auc"]
    calibration = figures["calibration"]
    referred = figures["referred"]
    ratio = calibration and calibration["observed_expected"]
    return (
        f"{figures['with_outcome']['count']}/{figures['results']}",
        str(figures["malignant"]),
        _estimate(auc["value"], auc) if auc else NONE,
        _rate(figures["sensitivity"]),
        _rate(figures["specificity"]),
        _estimate(ratio["ratio"], ratio) if ratio else NONE,
        str(referred["malignant"] + referred["benign"]),
    )


def _estimate(value: float, interval: dict[str, Any]) -> str:
    return f"{value:.2f} ({interval['low']:.2f}-{interval['high']:.2f})"
