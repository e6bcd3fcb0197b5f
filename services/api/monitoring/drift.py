"""Whether a hospital's or a device's results drift from those of the images that the model was trained on."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from services.api.monitoring.schemas import DriftGroup, DriftView, ModelNamed, QuantityDrift
from services.api.monitoring.views import window_view, worst
from shared.ledger.observations import Observations, Quantity, Reference, Source, Window
from shared.statistics import Drift, DriftReferenceInvalid, DriftState, components_drift, drift
from shared.statistics.drift import FEWEST, as_reference

NO_REFERENCE = (
    "The model was stored without the distributions of its training images, so drift cannot be measured. "
    "Train and promote a new version to have it."
)
NEXT = {
    DriftState.ALARM: "The images differ markedly from the training images: look at recent ones and at the scanner's "
    "settings, and check the figures of performance before relying on the risks.",
    DriftState.WATCH: "The images differ somewhat from the training images: keep watching, and see which device it is.",
    DriftState.OK: "No more change than chance or custom allows.",
    DriftState.TOO_FEW: f"Too few results to judge by; it takes {FEWEST}.",
}

Counts = list[NDArray[np.int64]]
"""Of one quantity: an array for each of its components."""


@dataclass(frozen=True)
class Place:
    """A hospital under a model, or one of its devices where `device` is said to be meant."""

    hospital: UUID
    model: str
    whole: bool
    device: str | None = None


def measure(observations: Observations, window: Window) -> DriftView:
    """Drift of each hospital and device that had results in the window, model by model."""
    results = _results(observations, window)
    known = {each.digest: each for each in observations.references({place.model for place in results})}
    tables = {digest: _tables(reference) for digest, reference in known.items()}
    measured = _measured(observations, window, known, tables)
    names = observations.hospitals()
    groups = [
        _group(place, names[place.hospital], results[place], known.get(place.model), measured.get(place, {}))
        for place in sorted(results, key=lambda place: _order(place, names))
    ]
    state = worst(group.state for group in groups)
    return DriftView(window=window_view(window), state=state, groups=groups)


def _results(observations: Observations, window: Window) -> Counter[Place]:
    results: Counter[Place] = Counter()
    for row in observations.decisions(window):
        for place in _places(row.hospital, row.device, row.model):
            results[place] += row.results
    return results


def _places(hospital: UUID, device: str | None, model: str) -> tuple[Place, Place]:
    """Where a result counts: in its hospital's row, and in its device's."""
    return Place(hospital, model, True), Place(hospital, model, False, device)


def _tables(reference: Reference) -> dict[Quantity, list[Sequence[float]]]:
    """What the model tells of its training images, as far as it can be compared with."""
    told, tables = reference.quantiles or {}, {}
    for quantity in Quantity:
        given = told.get(quantity) or []
        parts = given if quantity is Quantity.EMBEDDING else [given]
        try:
            tables[quantity] = [as_reference(part) for part in parts]
        except DriftReferenceInvalid:
            continue
    return {quantity: parts for quantity, parts in tables.items() if parts}


def _measured(
    observations: Observations,
    window: Window,
    known: dict[str, Reference],
    tables: dict[str, dict[Quantity, list[Sequence[float]]]],
) -> dict[Place, dict[Quantity, Drift]]:
    measured: dict[Place, dict[Quantity, Drift]] = defaultdict(dict)
    for digest, quantities in tables.items():
        for quantity, parts in quantities.items():
            for place, counts in _counts(observations.tallies(window, digest, quantity, parts)).items():
                if all(part.any() for part in counts):
                    measured[place][quantity] = _drift(quantity, counts, parts, known[digest].cases)
    return measured


def _counts(tallies: dict[Source, Counts]) -> dict[Place, Counts]:
    counts: dict[Place, Counts] = {}
    for source, parts in tallies.items():
        for place in _places(*source):
            before = counts.get(place)
            counts[place] = parts if before is None else [one + other for one, other in zip(before, parts, strict=True)]
    return counts


def _drift(quantity: Quantity, counts: Counts, parts: list[Sequence[float]], cases: int | None) -> Drift:
    if quantity is Quantity.EMBEDDING:
        return components_drift(counts, parts, cases)
    return drift(counts[0], parts[0], cases)


def _order(place: Place, names: dict[UUID, str]) -> tuple[str, str, bool, str]:
    """By hospital; first as a whole, then by device."""
    return names[place.hospital], place.model, not place.whole, place.device or ""


def _group(
    place: Place, hospital: str, results: int, model: Reference | None, measured: dict[Quantity, Drift]
) -> DriftGroup:
    quantities = [_quantity(quantity, found) for quantity, found in measured.items()]
    state = worst(each.state for each in quantities)
    return DriftGroup(
        level="hospital" if place.whole else "device",
        hospital_id=place.hospital,
        hospital=hospital,
        device=place.device,
        model=ModelNamed(digest=place.model, name=model and model.name, version=model and model.version),
        n=results,
        state=state,
        quantities=quantities,
        sentences=[*map(_sentence, quantities), NEXT[state]] if state else [NO_REFERENCE],
    )


def _quantity(quantity: Quantity, found: Drift) -> QuantityDrift:
    stability = found.stability
    return QuantityDrift(
        quantity=quantity,
        n=stability.cases,
        psi=stability.psi,
        watch_from=stability.watch_from,
        alarm_from=stability.alarm_from,
        ks_distance=found.ks.distance,
        ks_p=found.ks.p_value,
        component=None if found.component is None else found.component + 1,
        state=found.state,
    )


def _sentence(each: QuantityDrift) -> str:
    chance = "p < 0.001" if each.ks_p < 0.001 else f"p = {each.ks_p:.3f}"
    which = f"{each.quantity} (direction {each.component})" if each.component else str(each.quantity)
    limits = f"watch from {each.watch_from:.2f}, alarm from {each.alarm_from:.2f}"
    return (
        f"{which}: PSI {each.psi:.2f} ({limits}) over {each.n} results, KS distance {each.ks_distance:.2f} ({chance})."
    )
