"""The prediction of a model for one nodule, before the settings of a hospital apply."""

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
    """Source of the features: a network, or `handcrafted`; several are joined by `+`."""
    tap: str
    """The network's layer, or the family of formulas, that gives the features."""
    classifier: str
    """`svm` or `forest`."""
    probability: float
    """Calibrated probability of malignancy, 0 to 1, at `prevalence`."""
    prevalence: float | None = None
    """Share of malignant nodules at which `probability` holds, in a result that of `risk`. Null
    means that of the training images, as in results from before this was stored.
    """

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """Read plain values by the names of the fields."""
        return cls(
            network=body["network"],
            tap=body["tap"],
            classifier=body["classifier"],
            probability=body["probability"],
            prevalence=body.get("prevalence"),
        )


@dataclass(frozen=True)
class Prediction:
    """The prediction of the model for one nodule.

    Attributes
    ----------
    score : fused probability of the components, 0 to 1; compared with `cutoff`
    risk : `score` as a probability of malignancy at the prevalence of the training images
    decision : by Youden's `cutoff`; `refer` for an image, or a nodule in it, unlike the
        training images
    strangeness : distance from the training images, 1 on average among them
    embedding : the image along the first principal directions of the training images, in standard
        deviations
    benign_p, malignant_p : conformal p-values of the classes; None from models without calibration
        cases
    risk_interval : the two probabilities of Venn-Abers prediction, at the prevalence of the
        training images; None from models without calibration cases
    frame_distance : distance of the whole picture from those of the training, in multiples of the
        greatest that belongs; None from models that do not measure it
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
    risk_interval: tuple[float, float] | None = None
    frame_distance: float | None = None
