"""How good the images are that a hospital or a device sends: warnings, failures, and what could not be decided."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from services.api.monitoring.schemas import CodeRate, QualityGroup, QualityView
from services.api.monitoring.views import GroupKey, group_keys, rate, window_view
from shared.ledger.monitoring.observations import Observations, Window

DECISIONS = ("benign", "malignant", "refer")
REFER = "refer"
WITHOUT_MODEL = "Failed jobs have no model, so those of all models are counted."


@dataclass
class Tally:
    results: int = 0
    referred: int = 0
    warnings: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)


def measure(observations: Observations, window: Window) -> QualityView:
    """Rates of each hospital and device that had results or failures in the window."""
    tallies: dict[GroupKey, Tally] = defaultdict(Tally)
    # Warnings before results: what is written meanwhile then cannot make more warnings than results.
    for warning in observations.warnings(window):
        for place in group_keys(warning.hospital, warning.device):
            tallies[place].warnings[warning.code] += warning.times
    for decision in observations.decisions(window):
        for place in group_keys(decision.hospital, decision.device):
            tallies[place].results += decision.results
            tallies[place].referred += (
                decision.results if decision.decision == REFER else 0
            )
    for failure in observations.failures(window):
        for place in group_keys(failure.hospital, failure.device):
            tallies[place].failures[failure.code] += failure.times
    names = observations.hospitals()
    ordered = sorted(tallies, key=lambda place: place.order(names))
    groups = [_group(place, names[place.hospital], tallies[place]) for place in ordered]
    sentences = [WITHOUT_MODEL] if window.model else []
    return QualityView(window=window_view(window), groups=groups, sentences=sentences)


def _group(place: GroupKey, hospital: str, tally: Tally) -> QualityGroup:
    failed = tally.failures.total()
    tried = tally.results + failed
    return QualityGroup(
        level=place.level,
        hospital_id=place.hospital,
        hospital=hospital,
        device=place.device,
        results=tally.results,
        failed=rate(failed, tried),
        refer=rate(tally.referred, tally.results),
        warnings=_codes(tally.warnings, tally.results),
        failures=_codes(tally.failures, tried),
    )


def _codes(counts: Counter[str], of: int) -> list[CodeRate]:
    """Most frequent first, then by name."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [CodeRate(code=code, rate=rate(times, of)) for code, times in ordered]
