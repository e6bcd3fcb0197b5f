"""What the ledger knows of a model that its bundle does not: the gate's word, and its test."""

from dataclasses import dataclass

from shared.domain.results.model_reference import GateStanding
from shared.domain.results.rates import Rate


@dataclass(frozen=True, kw_only=True)
class LockedTestAuc:
    """The AUC on the locked test set, with the ends of its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class ModelStanding:
    """The standing of a model in the registry.

    Attributes
    ----------
    gate : the gate's word when the model was promoted
    objection : the code of the objection that was overruled; None if there was none
    test_sensitivity, test_specificity : at the model's own cut-off on the locked test set; None
        without such a set
    test_auc : as these
    """

    gate: GateStanding = GateStanding.NOT_ASKED
    objection: str | None = None
    test_sensitivity: Rate | None = None
    test_specificity: Rate | None = None
    test_auc: LockedTestAuc | None = None


UNREGISTERED = ModelStanding()
"""The standing of a bundle that is in no registry."""
