"""How often the model is right at a cut-off, and where that was measured."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self


class RateSource(StrEnum):
    """The images on which the rates of a cut-off were measured."""

    LOCKED_TEST = "locked-test"
    """The locked test set of the model's data set, of which no image was learned from."""
    CROSS_VALIDATION = "cross-validation"
    """The training images, each judged by a model that did not see its patient."""


@dataclass(frozen=True, kw_only=True)
class Rate:
    """A share of images with its 95 % interval."""

    value: float
    """The share, 0 to 1."""
    low: float
    """The lower end of Wilson's 95 % interval."""
    high: float
    """The upper end of Wilson's 95 % interval."""
    count: int
    """The number of images that count."""
    of: int
    """The number of images of this class."""

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """Read plain values by the names of the fields."""
        return cls(
            value=body["value"],
            low=body["low"],
            high=body["high"],
            count=body["count"],
            of=body["of"],
        )


@dataclass(frozen=True, kw_only=True)
class CutoffRates:
    """Sensitivity and specificity of the model at the cut-off of a result."""

    sensitivity: Rate
    """The share of malignant images whose score reaches the cut-off."""
    specificity: Rate
    """The share of benign images whose score is below the cut-off."""
    source: RateSource
    """Where they were measured."""

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """Read plain values by the names of the fields."""
        return cls(
            sensitivity=Rate.from_json(body["sensitivity"]),
            specificity=Rate.from_json(body["specificity"]),
            source=RateSource(body["source"]),
        )
