"""How good the images are that a hospital or a device sends: warnings, failures, and what could not be decided."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from services.api.monitoring.schemas import CodeRate, QualityGroup, QualityView
from services.api.monitoring.views import rate, window_view
from shared.ledger.observations import Observations, Window

DECISIONS = ("benign", "malignant", "refer")
REFER = "refer"
WITHOUT_MODEL = "Failed jobs have no model, so those of all models are counted."


class Place(NamedTuple):
    """A hospital, or one of its devices where `whole` is False."""

    hospital: UUID
    whole: bool
    device: str | None = None


@dataclass
class Tally:
    results: int = 0
    referred: int = 0
    failed: int = 0
    warnings: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)


def measure(observations: Observations, window: Window) -> QualityView:
    """Rates of each hospital and device that had results or failures in the window."""
    tallies: dict[Place, Tally] = defaultdict(Tally)
    for row in observations.decisions(window):
        for tally in _of(tallies, row.hospital, row.device):
            tally.results += row.results
            tally.referred += row.results if row.decision == REFER else 0
    for row in observations.warnings(window):
        for tally in _of(tallies, row.hospital, row.device):
            tally.warnings[row.code] += row.times
    for row in observations.failures(window):
        for tally in _of(tallies, row.hospital, row.device):
            tally.failures[row.code] += row.times
            tally.failed += row.times
    names = observations.hospitals()
    places = sorted(tallies, key=lambda place: (names[place.hospital], not place.whole, place.device or ""))
    groups = [_group(place, names[place.hospital], tallies[place]) for place in places]
    sentences = [WITHOUT_MODEL] if window.model else []
    return QualityView(window=window_view(window), groups=groups, sentences=sentences)


def _of(tallies: dict[Place, Tally], hospital: UUID, device: str | None) -> Iterable[Tally]:
    """Where something counts: in its hospital's row, and in its device's."""
    return tallies[Place(hospital, True)], tallies[Place(hospital, False, device)]


def _group(place: Place, hospital: str, tally: Tally) -> QualityGroup:
    tried = tally.results + tally.failed
    return QualityGroup(
        level="hospital" if place.whole else "device",
        hospital_id=place.hospital,
        hospital=hospital,
        device=place.device,
        results=tally.results,
        failed=rate(tally.failed, tried),
        refer=rate(tally.referred, tally.results),
        warnings=_codes(tally.warnings, tally.results),
        failures=_codes(tally.failures, tried),
    )


def _codes(counts: Counter[str], of: int) -> list[CodeRate]:
    """Most frequent first, then by name."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [CodeRate(code=code, rate=rate(times, of)) for code, times in ordered]
