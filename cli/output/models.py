"""Formats models, gates and shadows for the terminal."""

from typing import Any

from cli.output.terminal import Console

SIGNS = {"for": "+", "against": "-", "note": " "}


def print_plain(lines: list[str]) -> None:
    """Print lines as they are, without colours or wrapping."""
    Console().print("\n".join(lines), soft_wrap=True, highlight=False, markup=False)


def model_name(model: dict[str, Any]) -> str:
    return f"{model['name']}/{model['version']}"


def to_minute(moment: str) -> str:
    """Format a time to the minute."""
    return moment[:16].replace("T", " ")


def gate_verdict(gate: dict[str, Any] | None) -> str:
    """Return the gate's verdict for a table cell."""
    if gate is None:
        return "-"
    return f"{gate['verdict']} (stale)" if gate["stale"] else gate["verdict"]


def model_lines(model: dict[str, Any], gate: dict[str, Any] | None) -> list[str]:
    """Describe one model."""
    marks = [mark for mark in ("live", "shadow") if model[mark]]
    marks_suffix = f": {', '.join(marks)}" if marks else ""
    run_suffix = f" in run {model['run_id']}" if model["run_id"] else ""
    lines = [
        f"{model_name(model)} ({model['digest']}){marks_suffix}",
        f"Made {to_minute(model['created_at'])} UTC with recipe {model['recipe']}{run_suffix}.",
    ]
    if model["synthetic"]:
        lines.append(
            "Trained on synthetic phantoms: its answers mean nothing for a patient."
        )
    lines += _metric_lines(model["metrics"])
    lines += gate_lines(gate) if gate else ["The gate has not judged it."]
    if model["serving"]:
        lines.append(f"Served by {', '.join(model['serving'])}.")
    for refusal in model["refused"]:
        lines.append(
            f"Refused by {refusal['worker']}: {refusal['message']} [{refusal['code']}]"
        )
    return lines


def _metric_lines(metrics: dict[str, Any]) -> list[str]:
    if "auc" not in metrics:
        return []
    interval = ""
    if "auc_low" in metrics:
        interval = (
            f" (95 % interval {metrics['auc_low']:.3f}-{metrics['auc_high']:.3f})"
        )
    return [f"Cross-validated AUC {metrics['auc']:.3f}{interval}."]


def gate_lines(gate: dict[str, Any]) -> list[str]:
    """Describe a judgement: the verdict, a line for each criterion (+ for, - against), the
    sites, the kinds of ROI and the sites left out of training.
    """
    against = "without a live model"
    if gate["judged_against"]:
        against = f"against model {gate['judged_against'][:12]}"
    stale = "; another model is live now" if gate["stale"] else ""
    lines = [
        f"Gate: {gate['verdict']}, judged {to_minute(gate['at'])} UTC {against}{stale}."
    ]
    for reason in gate["reasons"]:
        lines.append(f"  {SIGNS[reason['weight']]} {reason['sentence']}")
    sites = gate["figures"].get("sites", [])
    if len(sites) > 1:
        lines += [group_line(site["site"], site) for site in sites]
    for row in gate["figures"].get("roi_kinds", []):
        lines.append(group_line(f"ROI {row['kind']}", row))
    left_out = gate["figures"].get("left_out_sites") or {"rows": []}
    for row in left_out["rows"]:
        lines.append(group_line(f"left out, {row['site']}", row))
    return lines


def group_line(name: str, row: dict[str, Any]) -> str:
    """Describe the figures of one group of test images."""
    auc = f"AUC {row['auc']['value']:.3f}, " if row["auc"] else ""
    return (
        f"    {name}: {row['images']} images, {auc}"
        f"sensitivity {rate_with_counts(row['sensitivity'])}, "
        f"specificity {rate_with_counts(row['specificity'])}"
    )


def rate_with_counts(rate: dict[str, Any]) -> str:
    if not rate["of"]:
        return "-"
    return f"{rate['value']:.0%} ({rate['found']}/{rate['of']})"


def comparison_lines(report: dict[str, Any]) -> list[str]:
    """Compare a shadow model with the live model."""
    state = "running"
    if report["ended_at"]:
        state = f"ended {to_minute(report['ended_at'])} UTC: {report['end_reason']}"
    lines = [
        f"Model {report['model'][:12]} in the shadow since "
        f"{to_minute(report['started_at'])} UTC, {state}",
        f"Read {report['read']} results, {report['unread']} of them unreadable; "
        f"{report['waiting']} wait.",
    ]
    comparison = report["comparison"]
    if comparison is None:
        return [*lines, "Nothing to compare yet."]
    agreement = comparison["agreement"]
    kappa = ""
    if agreement["kappa"] is not None:
        kappa = f", kappa {agreement['kappa']:.2f}"
    scores = comparison["score_difference"]
    lines += [
        f"Against model {report['against'][:12]}: the same decision in {agreement['same']} "
        f"of {agreement['cases']} ({agreement['share']:.0%}){kappa}.",
        f"Scores differ by {scores['mean']:+.3f} on average; 90 % of differences lie between "
        f"{scores['quantiles']['0.05']:+.3f} and {scores['quantiles']['0.95']:+.3f}.",
    ]
    return lines + outcome_lines(comparison["outcomes"])


def outcome_lines(outcomes: dict[str, Any]) -> list[str]:
    """Describe how often each of the two models is right, in cases with a known outcome."""
    lines = [
        f"Outcomes are known of {outcomes['cases']} cases, {outcomes['malignant']} of them "
        "malignant."
    ]
    if outcomes["auc"]:
        lines.append(
            "AUC {candidate:.3f} against {live:.3f}: difference {difference:+.3f} "
            "(95 % interval {low:+.3f} to {high:+.3f}).".format(**outcomes["auc"])
        )
    if not outcomes["cases"]:
        return lines
    for model in ("candidate", "live"):
        accuracy = outcomes[model]
        lines.append(
            f"  {model}: sensitivity {rate_with_counts(accuracy['sensitivity'])}, "
            f"specificity {rate_with_counts(accuracy['specificity'])}, "
            f"referred {accuracy['referred']}"
        )
    return lines
