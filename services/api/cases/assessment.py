"""What the reader saw of a nodule, and what the guidelines make of it: beside the model's risk, never part of it."""

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
"""The guidelines that set sizes for FNA; Kim 2002 and Kwak 2011 set none."""


class DescriptorsView(BaseModel):
    """In the terms of the ACR lexicon."""

    composition: Composition
    echogenicity: Echogenicity
    orientation: Orientation = Field(
        description="The lexicon's shape, on the transverse image."
    )
    margin: Margin
    foci: list[Focus] = Field(description="Echogenic foci, all kinds that were seen.")
    eccentric: bool = Field(
        description="Of a mixed nodule: the solid part lies to one side. Only ATA 2015 asks."
    )


class ReaderAssessment(BaseModel):
    """The pure guidelines' answer to the descriptors and the size; no model has a part in it."""

    model_config = ConfigDict(use_attribute_docstrings=True)
    points: int = Field(
        description="By ACR TI-RADS 2017, summed over all descriptors.", examples=[7]
    )
    level: str = Field(description="By ACR TI-RADS 2017.", examples=["TR5"])
    advice: list[FnaAdvice] = Field(
        description="Each guideline's, in the form of a result's `fna`, ACR TI-RADS 2017 first. One that has no "
        "category for such a nodule says so (`undecided`).",
        examples=[[assess(parse_descriptors(DESCRIPTORS_EXAMPLE), 14.5, ACR).to_json()]],
    )


def assess_descriptors(
    descriptors: Mapping[str, Any] | None, size_mm: float
) -> ReaderAssessment | None:
    """None where the reader described nothing."""
    if descriptors is None:
        return None
    nodule = parse_descriptors(descriptors)
    advice = [assess(nodule, size_mm, name) for name in FNA_GUIDELINES]
    level = advice[0].level
    assert level is not None, "ACR TI-RADS has a level for every nodule"
    return ReaderAssessment(
        points=GUIDELINES[ACR].points(nodule), level=level, advice=advice
    )
