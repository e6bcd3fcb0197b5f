"""What monitoring tells, as tables that a person understands."""

from collections.abc import Iterable
from typing import Any

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
        psi = {quantity["quantity"]: quantity for quantity in group["quantities"]}
        figures = [
            _psi(psi.get(name)) for name in ("score", "strangeness", "embedding")
        ]
        state = group["state"] or "no reference"
        table.add_row(
            *map(escape, _place(group)),
            _model(group["model"]),
            str(group["n"]),
            _loud(state),
            *figures,
        )
    return table


def drift_remarks(report: dict[str, Any]) -> list[str]:
    """Of each place that is not as it should be, and once what each state asks for."""
    loud = [group for group in report["groups"] if group["state"] in ("watch", "alarm")]
    places = [
        f"{', '.join(_place(group))}: {' '.join(group['sentences'][:-1])}"
        for group in loud
    ]
    return places + list(
        dict.fromkeys(group["sentences"][-1] for group in report["groups"])
    )


def quality_table(report: dict[str, Any]) -> Table:
    code_columns = ("warnings", "failures")
    table = _table(
        "hospital",
        "device",
        "results",
        "failed",
        "refer",
        *code_columns,
        words=code_columns,
    )
    for group in report["groups"]:
        figures = (str(group["results"]), _rate(group["failed"]), _rate(group["refer"]))
        table.add_row(
            *map(escape, _place(group)),
            *figures,
            *(_codes(group[name]) for name in code_columns),
        )
    return table


def performance_table(report: dict[str, Any]) -> Table:
    names = (
        "outcomes\nof results",
        "malignant",
        "AUC",
        "sensitivity",
        "specificity",
        "found /\nexpected",
        "referred",
    )
    table = _table("", *names)
    rows = [("all", report["all"])] if report["all"]["results"] else []
    rows += [
        (escape(group["hospital"]), group["figures"]) for group in report["hospitals"]
    ]
    rows += [(step["begins"][:7], step["figures"]) for step in report["over_time"]]
    for name, figures in rows:
        table.add_row(name, *_performance(figures))
    return table


def coverage_table(report: dict[str, Any]) -> Table:
    table = _table("", "promised", "of benign", "of malignant", "refer", "cases")
    rows = [("all", step) for step in report["all"]]
    rows += [
        (escape(group["hospital"]), step)
        for group in report["hospitals"]
        for step in group["steps"]
    ]
    for name, step in rows:
        rates = (
            step["benign"]["coverage"],
            step["malignant"]["coverage"],
            step["all"]["refer"],
        )
        table.add_row(
            name,
            f"{step['promised']:.0%}",
            *map(_rate, rates),
            str(step["all"]["cases"]),
        )
    return table


def _table(*names: str, words: Iterable[str] = ()) -> Table:
    """Words to the left, figures to the right."""
    table = Table()
    for name in names:
        left = name in ("", "hospital", "device", "model", "state", *words)
        table.add_column(name, justify="left" if left else "right", overflow="fold")
    return table


def _place(group: dict[str, Any]) -> tuple[str, str]:
    return group["hospital"], ALL_DEVICES if group["level"] == "hospital" else group[
        "device"
    ] or UNKNOWN


def _model(model: dict[str, Any]) -> str:
    return (
        f"{model['name']}/{model['version']}" if model["name"] else model["digest"][:12]
    )


def _psi(quantity: dict[str, Any] | None) -> str:
    return (
        NONE if quantity is None else _loud(quantity["state"], f"{quantity['psi']:.2f}")
    )


def _loud(state: str, text: str | None = None) -> str:
    style = STATE_STYLES.get(state, "dim")
    return f"[{style}]{text or state}[/]"


def _rate(rate: dict[str, Any]) -> str:
    """With its interval: 12 % (8-17)."""
    if rate["value"] is None:
        return NONE
    return f"{rate['value']:.0%} ({100 * rate['low']:.0f}-{100 * rate['high']:.0f})"


def _codes(codes: list[dict[str, Any]]) -> str:
    return (
        ", ".join(f"{entry['code']} {entry['rate']['value']:.0%}" for entry in codes)
        or NONE
    )


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
