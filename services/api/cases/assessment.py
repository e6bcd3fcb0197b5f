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

ACR = "ACR-2017"
FNA_GUIDELINES = (ACR, "K-TIRADS-2021", "K-TIRADS-2016", "ATA-2015", "EU-TIRADS-2017")
"""The guidelines with size thresholds for FNA. Kim 2002 and Kwak 2011 have none."""


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
    advice = [assess(nodule, size_mm, name) for name in FNA_GUIDELINES]
    level = advice[0].level
    assert level is not None, "ACR TI-RADS has a level for every nodule"
    return ReaderAssessment(
        points=GUIDELINES[ACR].points(nodule), level=level, advice=advice
    )
