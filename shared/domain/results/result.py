"""The result of a case.

The worker writes it, the ledger stores it, and all other parts read it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from shared.domain.json_values import plain_fields
from shared.domain.results.findings import Finding
from shared.domain.results.fna import FnaAdvice
from shared.domain.results.model_reference import ModelReference
from shared.domain.results.prediction import Component, Verdict
from shared.domain.results.rates import CutoffRates
from shared.domain.results.roi_source import RoiSource

YOUDEN = "youden"
"""The cut-off rule if a hospital sets no target sensitivity."""


@dataclass(frozen=True, kw_only=True)
class Conformal:
    """The diagnoses that fit the image at the hospital's error level, and how well each fits."""

    alpha: float
    """The hospital's error level, 0 to 1."""
    set: tuple[Verdict, ...]
    """The classes whose p-value exceeds `alpha`; unless it is one class, the case is referred."""
    benign_p: float
    """Fit to the benign training images: conformal p-value, above 0 and up to 1."""
    malignant_p: float
    """Fit to the malignant training images: conformal p-value, above 0 and up to 1."""

    @property
    def certain(self) -> bool:
        return len(self.set) == 1

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """Read plain values by the names of the fields."""
        return cls(
            alpha=body["alpha"],
            set=tuple(Verdict(name) for name in body["set"]),
            benign_p=body["benign_p"],
            malignant_p=body["malignant_p"],
        )


class RiskGuarantee(StrEnum):
    """What is known for certain about an interval of the risk."""

    VENN_ABERS = "venn-abers"
    """Its ends are the two probabilities of Venn-Abers prediction: that of the class that turns out
    to be true is calibrated. So among many cases the share of malignant nodules lies between the
    mean of the lower and the mean of the upper ends, if new cases are like the training cases. It
    is no confidence interval of one patient's risk.
    """


@dataclass(frozen=True, kw_only=True)
class ReadRoi:
    """The region that was read. If it was found, the clinician must check it."""

    box: tuple[int, int, int, int]
    """x, y, width, height in pixels of the upright image, from its upper left corner."""
    source: RoiSource
    """`reader`: given with the case; `calipers`: enclosed by burnt-in caliper marks; `network`:
    found by the model's outline network.
    """
    polygon: tuple[tuple[float, float], ...] | None = None
    """Points (x, y) of the outline that was read. Of a model with an outline network it is SERA's
    own, also inside a given ROI. Null if a box was read as the ellipse inside it.
    """

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """Read plain values by the names of the fields."""
        x, y, width, height = body["box"]
        polygon = body.get("polygon")
        return cls(
            box=(x, y, width, height),
            source=RoiSource(body["source"]),
            polygon=tuple((x, y) for x, y in polygon) if polygon else None,
        )


@dataclass(frozen=True, kw_only=True)
class Timings:
    """How long a case took, in milliseconds."""

    waited: float
    """From acceptance to claim by a worker, ms."""
    prepare: float
    """Fetching, decoding and cropping this image, ms."""
    infer: float
    """Inference of the whole batch that the image was part of, ms."""

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """Read plain values by the names of the fields."""
        return cls(waited=body["waited"], prepare=body["prepare"], infer=body["infer"])


@dataclass(frozen=True, kw_only=True)
class Result:
    """The result of SERA for a case."""

    score: float
    """The fused probability of the model's components, raw, 0 to 1; compared with `cutoff`."""
    risk: float
    """Calibrated risk of malignancy, 0 to 1, at `prevalence`."""
    decision: Verdict
    """`benign`, `malignant`, or `refer`: a radiologist has to read the image."""
    cutoff: float
    """The score from which the decision is `malignant`, 0 to 1."""
    cutoff_rule: str
    """The rule of the cut-off: `youden`, or the hospital's target, e.g. `sensitivity>=0.95`."""
    cutoff_risk: float
    """The risk of a nodule whose score equals the cut-off, 0 to 1, at `prevalence`."""
    conformal: Conformal | None
    """The diagnoses that fit at the hospital's error level; null without error level or
    calibration.
    """
    prevalence: float
    """Share of malignant nodules, 0 to 1, at which the risk holds: the hospital's or the default.
    """
    fna: FnaAdvice | None
    """FNA advice by the hospital's rule from risk and size; null only if no size was given."""
    components: tuple[Component, ...]
    """Every classifier of the ensemble with its own probability, on the scale of `risk`."""
    roi: ReadRoi | None
    """The region that was read, and where it comes from; null if the whole picture was read."""
    warnings: tuple[Finding, ...]
    """Remarks that the clinician must know, each code once."""
    model: ModelReference
    """The model that gave this result."""
    timings_ms: Timings
    """How long the case took, in milliseconds."""
    cutoff_rates: CutoffRates | None = None
    """Sensitivity and specificity of the model at this cut-off; null if they were not measured."""
    prevalence_assumed: bool | None = None
    """Whether `prevalence` is the installation's assumption because the hospital has set none. Null
    in results from before this was stored.
    """
    risk_interval: tuple[float, float] | None = None
    """The uncertainty of `risk`: its lowest and highest value, 0 to 1, at `prevalence`. It always
    contains `risk`, and the fewer training images have a similar score, the wider it is. Null from
    models without calibration cases, and in results from before this was stored.
    """
    risk_guarantee: RiskGuarantee | None = None
    """What `risk_interval` guarantees. `venn-abers`: among many cases the share of malignant nodules
    lies between the mean lower and the mean upper end, if new cases are like the training cases.
    Null without an interval.
    """

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """Read the values that `to_json` returned; unknown fields are ignored.

        Fields that earlier releases did not store are None.
        """
        conformal = body["conformal"]
        fna = body["fna"]
        roi = body["roi"]
        rates = body.get("cutoff_rates")
        interval = body.get("risk_interval")
        return cls(
            score=body["score"],
            risk=body["risk"],
            decision=Verdict(body["decision"]),
            cutoff=body["cutoff"],
            cutoff_rule=body["cutoff_rule"],
            cutoff_risk=body["cutoff_risk"],
            conformal=Conformal.from_json(conformal) if conformal else None,
            prevalence=body["prevalence"],
            fna=FnaAdvice.from_json(fna) if fna else None,
            components=tuple(map(Component.from_json, body["components"])),
            roi=ReadRoi.from_json(roi) if roi else None,
            warnings=tuple(map(Finding.from_json, body["warnings"])),
            model=ModelReference.from_json(body["model"]),
            timings_ms=Timings.from_json(body["timings_ms"]),
            cutoff_rates=CutoffRates.from_json(rates) if rates else None,
            prevalence_assumed=body.get("prevalence_assumed"),
            risk_interval=(interval[0], interval[1]) if interval else None,
            risk_guarantee=RiskGuarantee(body["risk_guarantee"]) if interval else None,
        )

    def to_json(self) -> dict[str, Any]:
        """Values for JSON, by the names of the fields."""
        return plain_fields(self)

    @property
    def shown_components(self) -> tuple[Component, ...]:
        """The components whose probability is on the scale of the risk.

        Results from before components were moved to the prevalence of the risk have none.
        """
        return tuple(
            component
            for component in self.components
            if component.prevalence == self.prevalence
        )

    def warns(self, code: str) -> bool:
        """Whether a warning of this code is among its warnings."""
        return any(warning.code == code for warning in self.warnings)
