"""Results as a person reads them in a terminal."""

from typing import Any

from rich.table import Table

COLUMNS = ("hospital", "case", "size", "risk", "decision", "FNA", "rule", "threshold", "remarks")


def result_table() -> Table:
    table = Table(title="SERA: malignancy risk and FNA advice (decision support, not a diagnosis)", title_style="bold")
    for name in COLUMNS:
        table.add_column(name, overflow="fold", justify="right" if name in ("size", "risk", "threshold") else "left")
    return table


def row(hospital: str, case: str, size_mm: float, job: dict[str, Any]) -> tuple[str, ...]:
    """One line of the table; a failed job shows its reason."""
    if job["state"] != "done":
        return hospital, case, f"{size_mm:g} mm", "-", job["state"], "-", "-", "-", job.get("reason") or ""
    result = job["result"]
    fna, remarks = result["fna"], ", ".join(warning["code"] for warning in result["warnings"])
    return (
        hospital,
        case,
        f"{size_mm:g} mm",
        f"{result['risk']:.0%}",
        result["decision"],
        "yes" if fna["recommended"] else "no",
        fna["rule"],
        threshold(fna),
        remarks,
    )


def threshold(fna: dict[str, Any]) -> str:
    return "none" if fna["threshold_mm"] is None else f"{fna['threshold_mm']:g} mm"


def sentences(job: dict[str, Any]) -> list[str]:
    """A single result in words."""
    if job["state"] != "done":
        return [f"The case ended as {job['state']}: {job.get('message') or job.get('reason') or 'no reason given'}"]
    result = job["result"]
    fna, model = result["fna"], result["model"]
    lines = [
        f"Risk of malignancy {result['risk']:.0%}, decision: {result['decision']} "
        f"(score {result['score']:.3f}, cut-off {result['cutoff']:.3f}).",
        f"{fna['text']} [{fna['rule']}]",
        f"Model {model['name']}/{model['version']} ({model['digest'][:12]}).",
    ]
    return lines + [f"Note: {warning['message']}" for warning in result["warnings"]]
