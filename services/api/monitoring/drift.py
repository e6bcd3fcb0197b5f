"""Whether a hospital's or a device's results drift from those of the images that the model was trained on."""

from collections import Counter, defaultdict
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.api.monitoring.schemas import (
    DriftGroup,
    DriftView,
    ModelView,
    QuantityDrift,
)
from services.api.monitoring.views import GroupKey, group_keys, window_view, worst
from shared.ledger.monitoring.observations import (
    Observations,
    Quantity,
    ModelReference,
    ResultSource,
    Window,
)
from shared.statistics import (
    Drift,
    DriftReferenceInvalid,
    DriftState,
    components_drift,
    drift,
)
from shared.statistics.model_life.drift import MIN_CASES, as_reference

NO_REFERENCE = (
    "The model was stored without the distributions of its training images, so drift cannot be measured. "
    "Train and promote a new version to have it."
)
NEXT = {
    DriftState.ALARM: "The images differ markedly from the training images: look at recent ones and at the scanner's "
    "settings, and check the figures of performance before relying on the risks.",
    DriftState.WATCH: "The images differ somewhat from the training images: keep watching, and see which device it is.",
    DriftState.OK: "No more change than chance or custom allows.",
    DriftState.TOO_FEW: f"Too few results to judge by; it takes {MIN_CASES}.",
}

Counts = list[NDArray[np.int64]]
"""Of one quantity: an array for each of its components."""
Quantiles = list[NDArray[np.float64]]
"""Of the training images: an array for each component of a quantity."""


class Reading(NamedTuple):
    """A place under one model."""

    place: GroupKey
    model: str


def measure(observations: Observations, window: Window) -> DriftView:
    """Drift of each hospital and device that had results in the window, model by model."""
    results = _results(observations, window)
    known = {
        each.digest: each
        for each in observations.references({reading.model for reading in results})
    }
    tables = {digest: _tables(reference) for digest, reference in known.items()}
    measured = _measured(observations, window, known, tables)
    names = observations.hospitals()
    groups = [
        _group(
            each,
            names[each.place.hospital],
            results[each],
            known.get(each.model),
            measured.get(each, {}),
        )
        for each in sorted(
            results, key=lambda each: (each.place.order(names), each.model)
        )
    ]
    state = worst(group.state for group in groups)
    return DriftView(window=window_view(window), state=state, groups=groups)


def _results(observations: Observations, window: Window) -> Counter[Reading]:
    results: Counter[Reading] = Counter()
    for row in observations.decisions(window):
        for place in group_keys(row.hospital, row.device):
            results[Reading(place, row.model)] += row.results
    return results


def _tables(reference: ModelReference) -> dict[Quantity, Quantiles]:
    """What the model tells of its training images, as far as it can be compared with."""
    quantiles = reference.quantiles or {}
    tables: dict[Quantity, Quantiles] = {}
    for quantity in Quantity:
        stored = quantiles.get(quantity) or []
        parts = (
            stored
            if quantity is Quantity.EMBEDDING and isinstance(stored, list)
            else [stored]
        )
        try:
            tables[quantity] = [as_reference(part) for part in parts]
        except DriftReferenceInvalid:
            continue
    return {quantity: parts for quantity, parts in tables.items() if parts}


def _measured(
    observations: Observations,
    window: Window,
    known: dict[str, ModelReference],
    tables: dict[str, dict[Quantity, Quantiles]],
) -> dict[Reading, dict[Quantity, Drift]]:
    measured: dict[Reading, dict[Quantity, Drift]] = defaultdict(dict)
    for digest, quantities in tables.items():
        for quantity, parts in quantities.items():
            references = [part.tolist() for part in parts]
            tallies = observations.quantile_counts(window, digest, quantity, references)
            for reading, counts in _counts(tallies).items():
                if all(part.any() for part in counts):
                    measured[reading][quantity] = _drift(
                        quantity, counts, parts, known[digest].cases
                    )
    return measured


def _counts(tallies: dict[ResultSource, Counts]) -> dict[Reading, Counts]:
    counts: dict[Reading, Counts] = {}
    for source, parts in tallies.items():
        for place in group_keys(source.hospital, source.device):
            reading = Reading(place, source.model)
            before = counts.get(reading)
            counts[reading] = (
                parts
                if before is None
                else [one + more for one, more in zip(before, parts, strict=True)]
            )
    return counts


def _drift(
    quantity: Quantity, counts: Counts, parts: Quantiles, cases: int | None
) -> Drift:
    if quantity is Quantity.EMBEDDING:
        return components_drift(counts, parts, cases)
    return drift(counts[0], parts[0], cases)


def _group(
    reading: Reading,
    hospital: str,
    results: int,
    model: ModelReference | None,
    measured: dict[Quantity, Drift],
) -> DriftGroup:
    quantities = [_quantity(quantity, found) for quantity, found in measured.items()]
    state = worst(each.state for each in quantities)
    return DriftGroup(
        level=reading.place.level,
        hospital_id=reading.place.hospital,
        hospital=hospital,
        device=reading.place.device,
        model=ModelView(
            digest=reading.model,
            name=model.name if model else None,
            version=model.version if model else None,
        ),
        n=results,
        state=state,
        quantities=quantities,
        sentences=[*map(_sentence, quantities), NEXT[state]]
        if state
        else [NO_REFERENCE],
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
    which = (
        f"{each.quantity} (direction {each.component})"
        if each.component
        else str(each.quantity)
    )
    limits = f"watch from {each.watch_from:.2f}, alarm from {each.alarm_from:.2f}"
    return f"{which}: PSI {each.psi:.2f} ({limits}) over {each.n} results, KS distance {each.ks_distance:.2f} ({chance})."
