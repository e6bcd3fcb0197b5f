"""The facts of a bundle that the ledger stores; they can be read without loading the bundle."""

from typing import Any

from shared.bundles.bundle import Bundle
from shared.learning.evidence import QUANTILE_FRACTIONS
from shared.statistics import ConfusionTable, Measure


def reference_record(bundle: Bundle) -> dict[str, Any] | None:
    """Return JSON values for the column `models.reference`, or None if the bundle holds no
    evidence.

    `quantiles` are taken at the fractions in `fractions`. They cover `score`, `risk`, `strangeness`
    (the novelty score), and `embedding`, which has a list for each component. `risk` holds at
    `prevalence`, the prevalence of the training images. `shift_prior` converts it to a hospital's
    prevalence and keeps the order. `youden` is Youden's cut-off with its rates. `operating_points`
    have the form of `OperatingPoint.to_json`, and `coverage` of conformal sets the form of
    `ConformalCoverage.to_json`.
    """
    evidence = bundle.model.evidence
    if evidence is None:
        return None
    reference = evidence.reference
    return {
        "images": bundle.manifest.training.images,
        "prevalence": bundle.prevalence,
        "youden": youden_record(bundle),
        "novelty_limit": bundle.model.novelty_limit,
        "fractions": QUANTILE_FRACTIONS.tolist(),
        "quantiles": {
            "score": reference.score.tolist(),
            "risk": reference.risk.tolist(),
            "strangeness": reference.novelty.tolist(),
            "embedding": reference.embedding.tolist(),
        },
        "operating_points": [point.to_json() for point in evidence.operating_points],
        "coverage": [coverage.to_json() for coverage in evidence.coverage],
    }


def confusion_table(bundle: Bundle) -> ConfusionTable | None:
    """Return the out-of-fold counts at Youden's cut-off; None for bundles that store no counts.

    The cut-off of each fold comes from the other folds.
    """
    metrics = bundle.manifest.metrics
    if "true_positives" not in metrics:
        return None
    return ConfusionTable(
        tp=int(metrics["true_positives"]),
        fn=int(metrics["false_negatives"]),
        fp=int(metrics["false_positives"]),
        tn=int(metrics["true_negatives"]),
    )


def youden_record(bundle: Bundle) -> dict[str, Any]:
    """Return Youden's cut-off.

    Its sensitivity and specificity are included if the bundle stores counts.
    """
    record: dict[str, Any] = {"cutoff": bundle.model.cutoff}
    table = confusion_table(bundle)
    if table is not None:
        for measure in (Measure.SENSITIVITY, Measure.SPECIFICITY):
            record[str(measure)] = table.proportion(measure).to_json()
    return record
