"""What the ledger keeps of a bundle beside its row, so that nobody has to load the bundle to know it."""

from typing import Any

from shared.bundles.bundle import Bundle
from shared.learning.evidence import QUANTILE_FRACTIONS
from shared.statistics import ConfusionTable, Measure


def reference_record(bundle: Bundle) -> dict[str, Any] | None:
    """Plain values for the column `models.reference`; None for a bundle that holds no evidence.

    `quantiles` at the fractions in `fractions`: `score`, `risk` (at `prevalence`, that of the training images; carry
    it to a hospital's with `shift_prior`, which keeps the order), `strangeness`, and `embedding`, a list for each
    component. `youden` is Youden's cut-off with its rates, `operating_points` are as `OperatingPoint.to_json` gives
    them, `coverage` of conformal sets as `ConformalCoverage.to_json` does.
    """
    evidence = bundle.model.evidence
    if evidence is None:
        return None
    held = evidence.reference
    names = ("score", "risk", "strangeness", "embedding")
    return {
        "images": bundle.manifest.training.images,
        "prevalence": bundle.prevalence,
        "youden": youden_record(bundle),
        "novelty_limit": bundle.model.novelty_limit,
        "fractions": QUANTILE_FRACTIONS.tolist(),
        "quantiles": {name: getattr(held, name).tolist() for name in names},
        "operating_points": [point.to_json() for point in evidence.operating_points],
        "coverage": [found.to_json() for found in evidence.coverage],
    }


def confusion_table(bundle: Bundle) -> ConfusionTable | None:
    """Counts out of fold at Youden's cut-off, each fold at that of the others; None where they were not kept."""
    names = ("true_positives", "false_negatives", "false_positives", "true_negatives")
    metrics = bundle.manifest.metrics
    return (
        ConfusionTable(*(int(metrics[name]) for name in names))
        if names[0] in metrics
        else None
    )


def youden_record(bundle: Bundle) -> dict[str, Any]:
    """The cut-off and, where counts were kept, its sensitivity and specificity."""
    told = {"cutoff": bundle.model.cutoff}
    table = confusion_table(bundle)
    if table is None:
        return told
    return told | {
        str(name): table.proportion(name).to_json()
        for name in (Measure.SENSITIVITY, Measure.SPECIFICITY)
    }
