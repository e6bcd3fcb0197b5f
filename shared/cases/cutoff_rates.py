"""Sensitivity and specificity at a cut-off, from the locked test set or from cross-validation."""

from shared.domain.model_standing import ModelStanding
from shared.domain.results.rates import CutoffRates, Rate, RateSource
from shared.statistics import Proportion


def locked_test_rates(standing: ModelStanding) -> CutoffRates | None:
    """The rates at the model's own cut-off; None without a locked test set."""
    if standing.test_sensitivity is None or standing.test_specificity is None:
        return None
    return CutoffRates(
        sensitivity=standing.test_sensitivity,
        specificity=standing.test_specificity,
        source=RateSource.LOCKED_TEST,
    )


def cross_validated_rates(
    *, sensitivity: Proportion, specificity: Proportion
) -> CutoffRates | None:
    """The rates with Wilson's intervals; None if a class has no image."""
    if not sensitivity.total or not specificity.total:
        return None
    return CutoffRates(
        sensitivity=Rate.from_json(sensitivity.to_json()),
        specificity=Rate.from_json(specificity.to_json()),
        source=RateSource.CROSS_VALIDATION,
    )
