"""The facts of a loaded bundle that a result needs."""

from shared.bundles import Bundle
from shared.bundles.ledger_record import confusion_table
from shared.cases.cutoff_rates import cross_validated_rates, locked_test_rates
from shared.cases.result import ModelFacts
from shared.domain.model_standing import UNREGISTERED, ModelStanding
from shared.domain.results.model_reference import ModelReference
from shared.domain.results.rates import CutoffRates
from shared.statistics import Measure


def model_facts(
    bundle: Bundle,
    *,
    name: str,
    version: int | None,
    standing: ModelStanding = UNREGISTERED,
) -> ModelFacts:
    """Collect the facts of a bundle. `version` is None if the model is in no registry."""
    evidence = bundle.model.evidence
    manifest = bundle.manifest
    test_auc = standing.test_auc
    return ModelFacts(
        reference=ModelReference(
            name=name,
            version=version,
            digest=bundle.digest,
            synthetic=manifest.synthetic,
            gate=standing.gate,
            training_images=manifest.training.images,
            training_malignant=manifest.training.malignant,
            cross_validated_auc=manifest.metrics.get("auc"),
            test_auc=test_auc.value if test_auc else None,
        ),
        prevalence=bundle.prevalence,
        calibration=bundle.model.calibration,
        operating_points=evidence.operating_points if evidence else None,
        youden_rates=locked_test_rates(standing) or _cross_validated_rates(bundle),
        standing=standing,
    )


def _cross_validated_rates(bundle: Bundle) -> CutoffRates | None:
    """The rates at Youden's cut-off, out of fold; None from a bundle of format 2."""
    table = confusion_table(bundle)
    if table is None:
        return None
    return cross_validated_rates(
        sensitivity=table.proportion(Measure.SENSITIVITY),
        specificity=table.proportion(Measure.SPECIFICITY),
    )
