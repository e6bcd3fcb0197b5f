"""What is told of an explanation's maps."""

from typing import Literal

from pydantic import BaseModel, Field


class CropRegion(BaseModel):
    box: tuple[int, int, int, int] = Field(
        description="x, y, width and height of the crop, in pixels of the image."
    )


class DeletionTest(BaseModel):
    """A deletion test: the crop is blurred away cell by cell, and the score is read after each step."""

    hidden: list[float] = Field(
        description="Shares of the crop blurred away, from 0 to 1."
    )
    ordered: list[float] = Field(
        description="The score after each, the map's most important cells first."
    )
    random: list[float] = Field(
        description="The same in random order, mean of `orders` orders."
    )
    orders: int
    area: float = Field(
        description="Area between the curves in units of the score: above 0 the score falls faster by the map's order "
        "than by chance, at 0 or below the map is no better than chance."
    )


class MapView(BaseModel):
    kind: Literal["occlusion", "grad-cam"]
    of: str = Field(
        description="`ensemble`, or the network whose own verdict is explained."
    )
    layer: str | None = Field(
        description="The network's layer whose maps were weighed; null for an occlusion map."
    )
    label: str
    roi: CropRegion
    grid: tuple[int, int] = Field(
        description="Rows and columns of the map before it was scaled up."
    )
    strongest: float | None = Field(
        description="Fall of the score where the strongest place is hidden, negative where what is seen there speaks "
        "against malignancy; null for Grad-CAM, which has no unit."
    )
    unit: str
    heat: str = Field(
        description="A transparent layer of the size of `roi`, to be laid over the image there."
    )
    faithfulness: DeletionTest


class ExplanationView(BaseModel):
    """Every map there is for a case, that of the whole ensemble first."""

    state: Literal["made"] = "made"
    maps: list[MapView]
    faithfulness: DeletionTest = Field(description="That of the first map.")
