"""Models, gates and shadows as a person reads them in a terminal."""

from typing import Any

from rich.console import Console

SIGNS = {"for": "+", "against": "-", "note": " "}


def print_plain(lines: list[str]) -> None:
    """Print lines as they are, without colours or wrapping."""
    Console().print("\n".join(lines), soft_wrap=True, highlight=False, markup=False)


def model_name(model: dict[str, Any]) -> str:
    return f"{model['name']}/{model['version']}"


def to_minute(moment: str) -> str:
    """A moment to the minute."""
    return moment[:16].replace("T", " ")


def gate_verdict(gate: dict[str, Any] | None) -> str:
    """The gate's verdict in a table."""
    if gate is None:
        return "-"
    return f"{gate['verdict']} (stale)" if gate["stale"] else gate["verdict"]


def model_lines(model: dict[str, Any], gate: dict[str, Any] | None) -> list[str]:
    """All of a model."""
    marks = [word for word in ("live", "shadow") if model[word]]
    lines = [
        f"{model_name(model)} ({model['digest']}){': ' + ', '.join(marks) if marks else ''}",
        f"Made {to_minute(model['created_at'])} UTC with recipe {model['recipe']}"
        + (f" in run {model['run_id']}." if model["run_id"] else "."),
    ]
    if model["synthetic"]:
        lines.append(
            "Trained on synthetic phantoms: its answers mean nothing for a patient."
        )
    metrics = model["metrics"]
    if "auc" in metrics:
        interval = (
            f" (95 % interval {metrics['auc_low']:.3f}-{metrics['auc_high']:.3f})"
            if "auc_low" in metrics
            else ""
        )
        lines.append(f"Cross-validated AUC {metrics['auc']:.3f}{interval}.")
    lines += gate_lines(gate) if gate else ["The gate has not judged it."]
    if model["serving"]:
        lines.append(f"Served by {', '.join(model['serving'])}.")
    return lines + [
        f"Refused by {each['worker']}: {each['message']} [{each['code']}]"
        for each in model["refused"]
    ]


def gate_lines(gate: dict[str, Any]) -> list[str]:
    """A judgement: the verdict, a line for each criterion (+ for, - against), and the sites."""
    against = (
        f"against model {gate['judged_against'][:12]}"
        if gate["judged_against"]
        else "without a live model"
    )
    stale = "; another model is live now" if gate["stale"] else ""
    lines = [
        f"Gate: {gate['verdict']}, judged {to_minute(gate['at'])} UTC {against}{stale}."
    ]
    lines += [
        f"  {SIGNS[reason['weight']]} {reason['sentence']}"
        for reason in gate["reasons"]
    ]
    return lines + [
        site_line(row)
        for row in gate["figures"].get("sites", [])
        if len(gate["figures"]["sites"]) > 1
    ]


def site_line(row: dict[str, Any]) -> str:
    area = f"AUC {row['auc']['value']:.3f}, " if row["auc"] else ""
    return (
        f"    {row['site']}: {row['images']} images, {area}sensitivity {rate_with_counts(row['sensitivity'])}, "
        f"specificity {rate_with_counts(row['specificity'])}"
    )


def rate_with_counts(rate: dict[str, Any]) -> str:
    """A rate with its counts."""
    return f"{rate['value']:.0%} ({rate['found']}/{rate['of']})" if rate["of"] else "-"


def comparison_lines(report: dict[str, Any]) -> list[str]:
    """A model in the shadow beside the live one."""
    state = (
        f"ended {to_minute(report['ended_at'])} UTC: {report['end_reason']}"
        if report["ended_at"]
        else "running"
    )
    lines = [
        (
            f"Model {report['model'][:12]} in the shadow since {to_minute(report['started_at'])} "
            f"UTC, {state}"
        ),
        (
            f"Read {report['read']} results, {report['unread']} of them unreadable; "
            f"{report['waiting']} wait."
        ),
    ]
    found = report["comparison"]
    if found is None:
        return [*lines, "Nothing to compare yet."]
    agreement = found["agreement"]
    scores = found["score_difference"]
    kappa = (
        f", kappa {agreement['kappa']:.2f}" if agreement["kappa"] is not None else ""
    )
    lines += [
        f"Against model {report['against'][:12]}: the same decision in {agreement['same']} "
        f"of {agreement['cases']} "
        f"({agreement['share']:.0%}){kappa}.",
        f"Scores differ by {scores['mean']:+.3f} on average; 90 % of differences lie between "
        f"{scores['quantiles']['0.05']:+.3f} and {scores['quantiles']['0.95']:+.3f}.",
    ]
    return lines + outcome_lines(found["outcomes"])


def outcome_lines(outcomes: dict[str, Any]) -> list[str]:
    """Which of the two is right, where it became known."""
    lines = [
        (
            f"Outcomes are known of {outcomes['cases']} cases, {outcomes['malignant']} of them "
            "malignant."
        )
    ]
    if outcomes["auc"]:
        lines.append(
            "AUC {candidate:.3f} against {live:.3f}: difference {difference:+.3f} "
            "(95 % interval {low:+.3f} to {high:+.3f}).".format(**outcomes["auc"])
        )
    for who in ("candidate", "live") if outcomes["cases"] else ():
        right = outcomes[who]
        rates = f"sensitivity {rate_with_counts(right['sensitivity'])}, specificity {rate_with_counts(right['specificity'])}"
        lines.append(f"  {who}: {rates}, referred {right['referred']}")
    return lines
