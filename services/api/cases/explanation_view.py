"""API schemas of explanation maps."""

from typing import Literal

from pydantic import BaseModel, Field


class CropRegion(BaseModel):
    box: tuple[int, int, int, int] = Field(
        description="x, y, width and height of the crop in pixels of the image."
    )


class DeletionTest(BaseModel):
    """Deletion test: the crop is blurred cell by cell, and the score is measured after each
    step.
    """

    hidden: list[float] = Field(
        description="Shares of the crop that are blurred, from 0 to 1."
    )
    ordered: list[float] = Field(
        description="Score after each step when the map's most important cells are blurred first."
    )
    random: list[float] = Field(
        description="Score after each step in random order, averaged over `orders` orders."
    )
    orders: int
    area: float = Field(
        description="Area between the two curves in units of the score. If it is above 0, the "
        "score falls faster in the map's order than in random order. If it is 0 or "
        "below, the map is no better than chance."
    )


class MapView(BaseModel):
    kind: Literal["occlusion", "grad-cam"]
    of: str = Field(
        description="`ensemble`, or the name of the one network that the map explains."
    )
    layer: str | None = Field(
        description="Layer of the network that Grad-CAM used; null for an occlusion map."
    )
    label: str
    roi: CropRegion
    grid: tuple[int, int] = Field(
        description="Rows and columns of the map before scaling to the ROI."
    )
    strongest: float | None = Field(
        description="Decrease of the score when the most important cell is hidden. It is negative "
        "if that cell speaks against malignancy, and null for Grad-CAM, which has no "
        "unit."
    )
    unit: str
    heat: str = Field(
        description="Path of a transparent PNG of the size of `roi`, to draw over the image at "
        "`roi`."
    )
    faithfulness: DeletionTest


class ExplanationView(BaseModel):
    """All maps of a case; the map of the whole ensemble is first."""

    state: Literal["made"] = "made"
    maps: list[MapView]
    faithfulness: DeletionTest = Field(description="Deletion test of the first map.")
