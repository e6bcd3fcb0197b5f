"""The answer of a case as one type: what the worker writes, the ledger stores and everything else reads."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from shared.domain.json_values import plain_fields
from shared.domain.results.findings import Finding
from shared.domain.results.fna import FnaAdvice
from shared.domain.results.prediction import Component, Verdict

YOUDEN = "youden"
"""The cut-off rule where a hospital asks for no sensitivity."""


@dataclass(frozen=True, kw_only=True)
class Conformal:
    """Which diagnoses fit the image at the hospital's error limit, and how well each of them does."""

    alpha: float
    """The hospital's error limit, 0 to 1."""
    set: tuple[Verdict, ...]
    """The classes, `benign` and `malignant`, whose p-value exceeds `alpha`; unless it is one, the case is referred."""
    benign_p: float
    """How well the image fits the benign training images: conformal p-value, above 0 and up to 1."""
    malignant_p: float
    """How well the image fits the malignant training images: conformal p-value, above 0 and up to 1."""

    @property
    def certain(self) -> bool:
        return len(self.set) == 1

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """From plain values by the fields' names."""
        return cls(
            alpha=body["alpha"],
            set=tuple(Verdict(name) for name in body["set"]),
            benign_p=body["benign_p"],
            malignant_p=body["malignant_p"],
        )


class RoiSource(StrEnum):
    """How a region of interest that nobody gave was found."""

    CALIPERS = "calipers"


@dataclass(frozen=True, kw_only=True)
class FoundRoi:
    """The region of interest that was read where the case gave none, to be checked by whoever sees the result."""

    box: tuple[int, int, int, int]
    """x, y, width, height in pixels of the upright image, from its upper left corner."""
    source: RoiSource
    """How it was found: `calipers`, enclosed by burnt-in caliper marks."""

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """From plain values by the fields' names."""
        x, y, width, height = body["box"]
        return cls(box=(x, y, width, height), source=RoiSource(body["source"]))


@dataclass(frozen=True, kw_only=True)
class ModelReference:
    """The model that gave a result."""

    name: str
    """The model's name, which is that of its recipe."""
    version: int | None
    """Its version under that name, from 1; null for a bundle that is in no registry."""
    digest: str
    """SHA-256 of the bundle's manifest, in hex."""

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """From plain values by the fields' names."""
        return cls(name=body["name"], version=body["version"], digest=body["digest"])


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
        """From plain values by the fields' names."""
        return cls(waited=body["waited"], prepare=body["prepare"], infer=body["infer"])


@dataclass(frozen=True, kw_only=True)
class Result:
    """What SERA says of a case."""

    score: float
    """The fused probability of the model's components, raw, 0 to 1; compared with `cutoff`."""
    risk: float
    """Calibrated risk of malignancy, 0 to 1, at `prevalence`."""
    decision: Verdict
    """`benign`, `malignant`, or `refer`: SERA does not decide, and a radiologist is to read the image."""
    cutoff: float
    """The score from which the decision is `malignant`, 0 to 1."""
    cutoff_rule: str
    """What chose the cut-off: `youden`, or the hospital's target, e.g. `sensitivity>=0.95`."""
    cutoff_risk: float
    """The risk at which a nodule with the cut-off's score stands, 0 to 1, at `prevalence`."""
    conformal: Conformal | None
    """The diagnoses that fit at the hospital's error limit; null where the hospital set none or the model cannot tell."""
    prevalence: float
    """Share of malignant nodules, 0 to 1, at which the risk holds: the hospital's own, or the default."""
    fna: FnaAdvice | None
    """FNA advice by the hospital's rule from risk and size; null only where no size was given."""
    components: tuple[Component, ...]
    """Every classifier of the ensemble with its own probability."""
    roi: FoundRoi | None
    """The region of interest that was read where the case gave none; else null."""
    warnings: tuple[Finding, ...]
    """What has to be known beside the figures, each code once."""
    model: ModelReference
    """The model that gave this result."""
    timings_ms: Timings
    """How long the case took, in milliseconds."""

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> Self:
        """From what `to_json` gave; fields that this version does not know are left out."""
        conformal = body["conformal"]
        fna = body["fna"]
        roi = body["roi"]
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
            roi=FoundRoi.from_json(roi) if roi else None,
            warnings=tuple(map(Finding.from_json, body["warnings"])),
            model=ModelReference.from_json(body["model"]),
            timings_ms=Timings.from_json(body["timings_ms"]),
        )

    def to_json(self) -> dict[str, Any]:
        """Values that JSON can hold, by the fields' names."""
        return plain_fields(self)

    def warns(self, code: str) -> bool:
        """Whether a warning of this code is among its warnings."""
        return any(warning.code == code for warning in self.warnings)
