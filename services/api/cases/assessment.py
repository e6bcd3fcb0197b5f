"""Assesses a nodule by guidelines from the descriptors that a reader entered.

The assessment is shown beside the model's risk and never changes it.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from shared.domain.results.fna import FnaAdvice
from shared.guidelines import (
    DESCRIPTORS_EXAMPLE,
    GUIDELINES,
    Composition,
    Echogenicity,
    Focus,
    Margin,
    Orientation,
    assess,
    parse_descriptors,
)
from shared.guidelines.guideline import Guideline

ACR = "ACR-2017"


def _has_size_thresholds(guideline: Guideline) -> bool:
    """Whether FNA depends on the size at any level. Kim 2002 and Kwak 2011 ignore the size."""
    thresholds = [
        threshold
        for level in guideline.levels
        for threshold in (level.biopsy, level.consider)
    ]
    return any(threshold and threshold.mm > 0 for threshold in thresholds)


FNA_GUIDELINES = tuple(
    name for name, guideline in GUIDELINES.items() if _has_size_thresholds(guideline)
)
"""The registered guidelines with size thresholds for FNA. ACR TI-RADS 2017 is registered first."""


class DescriptorsView(BaseModel):
    """Descriptors of a nodule in the terms of the ACR TI-RADS lexicon."""

    composition: Composition
    echogenicity: Echogenicity
    orientation: Orientation = Field(
        description="The lexicon's `shape`, assessed on the transverse image."
    )
    margin: Margin
    foci: list[Focus] = Field(
        description="All kinds of echogenic foci that are present."
    )
    eccentric: bool = Field(
        description="Whether the solid part of a mixed nodule is eccentric. Only ATA 2015 uses "
        "this descriptor."
    )


class ReaderAssessment(BaseModel):
    """Category and FNA advice of the guidelines for the descriptors and the size. No model is
    involved.
    """

    model_config = ConfigDict(use_attribute_docstrings=True)
    points: int = Field(
        description="ACR TI-RADS 2017 points, summed over all descriptors.",
        examples=[7],
    )
    level: str = Field(description="ACR TI-RADS 2017 level.", examples=["TR5"])
    advice: list[FnaAdvice] = Field(
        description="Advice of each guideline in the format of a result's `fna`, ACR TI-RADS 2017 "
        "first. The advice is `undecided` if a guideline has no category for this "
        "nodule.",
        examples=[
            [assess(parse_descriptors(DESCRIPTORS_EXAMPLE), 14.5, ACR).to_json()]
        ],
    )


def assess_descriptors(
    descriptors: Mapping[str, Any] | None, size_mm: float
) -> ReaderAssessment | None:
    """Assess the descriptors. Returns None if the reader entered no descriptors."""
    if descriptors is None:
        return None
    nodule = parse_descriptors(descriptors)
    acr = GUIDELINES[ACR]
    level = acr.classify(nodule)
    assert level is not None, "ACR TI-RADS has a level for every nodule"
    return ReaderAssessment(
        points=acr.points(nodule),
        level=level.name,
        advice=[assess(nodule, size_mm, name) for name in FNA_GUIDELINES],
    )
