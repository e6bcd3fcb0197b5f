"""Measures the quality of images by hospital and device: rates of warnings, failures and
referrals.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from services.api.monitoring.schemas import CodeRate, QualityGroup, QualityView
from services.api.monitoring.views import GroupKey, group_keys, rate, window_view
from shared.ledger.monitoring.observations import Observations, Window

DECISIONS = ("benign", "malignant", "refer")
REFER = "refer"
WITHOUT_MODEL = "Failed jobs have no model, so those of all models are counted."


@dataclass
class GroupCounts:
    results: int = 0
    referred: int = 0
    warnings: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)


def measure(observations: Observations, window: Window) -> QualityView:
    """Return the rates of each hospital and device that had results or failures in the window."""
    counts: dict[GroupKey, GroupCounts] = defaultdict(GroupCounts)
    # Warnings are read first. Rows written between the two queries then cannot make more
    # warnings than results.
    for warning in observations.warnings(window):
        for key in group_keys(warning.hospital, warning.device):
            counts[key].warnings[warning.code] += warning.times
    for decision in observations.decisions(window):
        for key in group_keys(decision.hospital, decision.device):
            counts[key].results += decision.results
            if decision.decision == REFER:
                counts[key].referred += decision.results
    for failure in observations.failures(window):
        for key in group_keys(failure.hospital, failure.device):
            counts[key].failures[failure.code] += failure.times
    names = observations.hospitals()
    ordered = sorted(counts, key=lambda key: key.order(names))
    groups = [_group_view(key, names[key.hospital], counts[key]) for key in ordered]
    sentences = [WITHOUT_MODEL] if window.model else []
    return QualityView(window=window_view(window), groups=groups, sentences=sentences)


def _group_view(key: GroupKey, hospital: str, counts: GroupCounts) -> QualityGroup:
    failed = counts.failures.total()
    attempted = counts.results + failed
    return QualityGroup(
        level=key.level,
        hospital_id=key.hospital,
        hospital=hospital,
        device=key.device,
        results=counts.results,
        failed=rate(failed, attempted),
        refer=rate(counts.referred, counts.results),
        warnings=_code_rates(counts.warnings, counts.results),
        failures=_code_rates(counts.failures, attempted),
    )


def _code_rates(counts: Counter[str], total: int) -> list[CodeRate]:
    """Return the rate of each code, most frequent first, then by code."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [CodeRate(code=code, rate=rate(count, total)) for code, count in ordered]
