"""Measures drift: how far the results of a hospital or a device differ from the results of the
training images.
"""

from collections import Counter, defaultdict
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.api.monitoring.schemas import (
    DriftGroup,
    DriftView,
    MonitoredModelView,
    QuantityDrift,
)
from services.api.monitoring.views import GroupKey, group_keys, window_view, worst
from shared.ledger.monitoring.observations import (
    ModelReference,
    Observations,
    Quantity,
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
    "The model was stored without the distributions of its training images, so drift cannot be "
    "measured. "
    "Train and promote a new version to have it."
)
NEXT = {
    DriftState.ALARM: "The images differ markedly from the training images: look at recent ones "
    "and at the scanner's "
    "settings, and check the figures of performance before relying on the risks.",
    DriftState.WATCH: "The images differ somewhat from the training images: keep watching, and see "
    "which device it is.",
    DriftState.OK: "No more change than chance or custom allows.",
    DriftState.TOO_FEW: f"Too few results to judge by; it takes {MIN_CASES}.",
}

Counts = list[NDArray[np.int64]]
"""Numbers of results between the quantiles of one quantity, one array for each component."""
Quantiles = list[NDArray[np.float64]]
"""Quantiles of one quantity over the training images, one array for each component."""


class ModelGroup(NamedTuple):
    """The results of a hospital or device by one model."""

    key: GroupKey
    model: str
    """Digest of the model."""


def measure(observations: Observations, window: Window) -> DriftView:
    """Return the drift of each hospital and device with results in the window, for each model."""
    results = _results(observations, window)
    digests = {group.model for group in results}
    references = {
        reference.digest: reference for reference in observations.references(digests)
    }
    drifts = _drifts(observations, window, references)
    names = observations.hospitals()
    ordered = sorted(results, key=lambda group: (group.key.order(names), group.model))
    group_views = [
        _group_view(
            group=group,
            hospital=names[group.key.hospital],
            results=results[group],
            reference=references.get(group.model),
            drifts=drifts.get(group, {}),
        )
        for group in ordered
    ]
    state = worst(view.state for view in group_views)
    return DriftView(window=window_view(window), state=state, groups=group_views)


def _results(observations: Observations, window: Window) -> Counter[ModelGroup]:
    results: Counter[ModelGroup] = Counter()
    for row in observations.decisions(window):
        for key in group_keys(row.hospital, row.device):
            results[ModelGroup(key, row.model)] += row.results
    return results


def _tables(reference: ModelReference) -> dict[Quantity, Quantiles]:
    """Return the quantiles of a model's training images, for each quantity that can be compared."""
    quantiles = reference.quantiles or {}
    tables: dict[Quantity, Quantiles] = {}
    for quantity in Quantity:
        stored = quantiles.get(quantity) or []
        is_embedding = quantity is Quantity.EMBEDDING and isinstance(stored, list)
        components = stored if is_embedding else [stored]
        try:
            tables[quantity] = [as_reference(component) for component in components]
        except DriftReferenceInvalid:
            continue
    return {quantity: table for quantity, table in tables.items() if table}


def _drifts(
    observations: Observations,
    window: Window,
    references: dict[str, ModelReference],
) -> dict[ModelGroup, dict[Quantity, Drift]]:
    drifts: dict[ModelGroup, dict[Quantity, Drift]] = defaultdict(dict)
    for digest, reference in references.items():
        for quantity, quantiles in _tables(reference).items():
            edges = [component.tolist() for component in quantiles]
            counts_by_source = observations.quantile_counts(
                window, digest, quantity, edges
            )
            for group, counts in _group_counts(counts_by_source).items():
                if all(component.any() for component in counts):
                    drifts[group][quantity] = _drift(
                        quantity, counts, quantiles, reference.cases
                    )
    return drifts


def _group_counts(
    counts_by_source: dict[ResultSource, Counts],
) -> dict[ModelGroup, Counts]:
    """Return the counts of each hospital and of each device, summed over their sources."""
    sums: dict[ModelGroup, Counts] = {}
    for source, counts in counts_by_source.items():
        for key in group_keys(source.hospital, source.device):
            group = ModelGroup(key, source.model)
            if group in sums:
                pairs = zip(sums[group], counts, strict=True)
                sums[group] = [total + count for total, count in pairs]
            else:
                sums[group] = counts
    return sums


def _drift(
    quantity: Quantity, counts: Counts, quantiles: Quantiles, cases: int | None
) -> Drift:
    if quantity is Quantity.EMBEDDING:
        return components_drift(counts, quantiles, cases)
    return drift(counts[0], quantiles[0], cases)


def _group_view(
    group: ModelGroup,
    hospital: str,
    results: int,
    reference: ModelReference | None,
    drifts: dict[Quantity, Drift],
) -> DriftGroup:
    quantities = [_quantity_view(quantity, drift) for quantity, drift in drifts.items()]
    state = worst(quantity.state for quantity in quantities)
    sentences = [NO_REFERENCE]
    if state:
        sentences = [*map(_sentence, quantities), NEXT[state]]
    return DriftGroup(
        level=group.key.level,
        hospital_id=group.key.hospital,
        hospital=hospital,
        device=group.key.device,
        model=MonitoredModelView(
            digest=group.model,
            name=reference.name if reference else None,
            version=reference.version if reference else None,
        ),
        n=results,
        state=state,
        quantities=quantities,
        sentences=sentences,
    )


def _quantity_view(quantity: Quantity, found: Drift) -> QuantityDrift:
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


def _sentence(drift: QuantityDrift) -> str:
    p_value = "p < 0.001" if drift.ks_p < 0.001 else f"p = {drift.ks_p:.3f}"
    name = str(drift.quantity)
    if drift.component:
        name = f"{drift.quantity} (direction {drift.component})"
    limits = f"watch from {drift.watch_from:.2f}, alarm from {drift.alarm_from:.2f}"
    return (
        f"{name}: PSI {drift.psi:.2f} ({limits}) over {drift.n} results, "
        f"KS distance {drift.ks_distance:.2f} ({p_value})."
    )
