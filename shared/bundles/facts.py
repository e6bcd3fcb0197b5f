"""What the ledger keeps of a bundle beside its row, so that nobody has to load the bundle to know it."""

from typing import Any

from shared.bundles.bundle import Bundle
from shared.learning.evidence import PER_CENTS


def reference(bundle: Bundle) -> dict[str, Any] | None:
    """Plain values for the column `models.reference`; None for a bundle that holds no evidence.

    `quantiles` at the fractions in `fractions`: `score`, `risk` (at `prevalence`, that of the training images; carry
    it to a hospital's with `shift_prior`, which keeps the order), `strangeness`, and `embedding`, a list for each
    component. `cutoff` is Youden's; `operating_points` as `OperatingPoint.to_json` gives them.
    """
    evidence = bundle.model.evidence
    if evidence is None:
        return None
    held = evidence.reference
    names = ("score", "risk", "strangeness", "embedding")
    return {
        "images": bundle.manifest.training.images,
        "prevalence": bundle.prevalence,
        "cutoff": bundle.model.cutoff,
        "novelty_limit": bundle.model.novelty_limit,
        "fractions": PER_CENTS.tolist(),
        "quantiles": {name: getattr(held, name).tolist() for name in names},
        "operating_points": [point.to_json() for point in evidence.operating_points],
    }
