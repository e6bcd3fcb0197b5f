"""The model that gave a result, with the facts that its reader has to know of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self


class GateStanding(StrEnum):
    """The gate's word on a model when it was promoted."""

    PASSED = "passed"
    """The gate had passed it against the model that was live."""
    OVERRULED = "overruled"
    """It was promoted with a written reason, since the gate had failed it, not judged it, or passed
    it against another model.
    """
    NOT_ASKED = "not-asked"
    """No model was live before, or the bundle is in no registry."""


@dataclass(frozen=True, kw_only=True)
class ModelReference:
    """The model that gave a result."""

    name: str
    """The model's name, which equals its recipe's name."""
    version: int | None
    """Its version under that name, from 1; null for a bundle that is in no registry."""
    digest: str
    """SHA-256 of the bundle's manifest, in hex."""
    synthetic: bool | None = None
    """Whether it was trained on drawn phantoms. Null in results from before this was stored."""
    gate: GateStanding | None = None
    """The gate's word on it when it was promoted. Null in results from before this was stored."""
    training_images: int | None = None
    """Number of images that it was trained on. Null in results from before this was stored."""
    training_malignant: int | None = None
    """Number of malignant images among them."""
    cross_validated_auc: float | None = None
    """Its AUC in cross-validation on the training images; null if unknown."""
    test_auc: float | None = None
    """Its AUC on the locked test set; null if there is none."""

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """Read plain values by the names of the fields."""
        gate = body.get("gate")
        return cls(
            name=body["name"],
            version=body["version"],
            digest=body["digest"],
            synthetic=body.get("synthetic"),
            gate=GateStanding(gate) if gate else None,
            training_images=body.get("training_images"),
            training_malignant=body.get("training_malignant"),
            cross_validated_auc=body.get("cross_validated_auc"),
            test_auc=body.get("test_auc"),
        )
