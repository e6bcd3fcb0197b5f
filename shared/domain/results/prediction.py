"""What a model says of one nodule, before any hospital's settings are applied."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from shared.domain.results.findings import Finding


class Verdict(StrEnum):
    BENIGN = "benign"
    MALIGNANT = "malignant"
    REFER = "refer"


@dataclass(frozen=True)
class Component:
    """One classifier on one feature set, a part of the model's ensemble."""

    network: str
    """Where the features come from: a network, or `handcrafted`; several, read side by side, are joined by `+`."""
    tap: str
    """The network's layer, or the family of formulas, that gives the features."""
    classifier: str
    """`svm` or `forest`."""
    probability: float
    """Calibrated probability of malignancy of this component alone, 0 to 1, at the training images' prevalence."""

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """From plain values by the fields' names."""
        return cls(
            network=body["network"],
            tap=body["tap"],
            classifier=body["classifier"],
            probability=body["probability"],
        )


@dataclass(frozen=True)
class Prediction:
    """What the model says of one nodule.

    Attributes
    ----------
    score : the components fused, 0 to 1; compared with `cutoff`
    risk : `score` as a probability of malignancy at the prevalence of the training images
    decision : by `cutoff`, Youden's; `refer` for an image unlike the training images
    strangeness : how unlike the training images it is, 1 on average among them
    embedding : the image along the training images' first principal directions, in standard deviations
    benign_p, malignant_p : conformal p-values of the classes; None from models that hold no calibration cases
    """

    score: float
    risk: float
    decision: Verdict
    cutoff: float
    components: tuple[Component, ...]
    strangeness: float
    embedding: tuple[float, ...]
    benign_p: float | None
    malignant_p: float | None
    findings: tuple[Finding, ...] = ()
