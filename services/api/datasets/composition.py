"""What a draft or a version is made of, as an operator sees it."""

from pydantic import BaseModel, Field

from shared.ledger.datasets.composition import Grouping, CompositionGroup


class PartView(BaseModel):
    name: str | None = Field(description="Null for images whose site is not known.")
    images: int
    malignant: int
    patients: int = Field(description="An image of no known patient counts as one.")


class CompositionView(BaseModel):
    """What a draft or a version is made of."""

    all: PartView | None = Field(description="Null where there is no image.")
    splits: list[PartView]
    sites: list[PartView]
    sizes: list[PartView] = Field(
        description="`under-10`, `10-20`, `20-40`, `over-40` mm and `unknown`."
    )


def composition_view(parts: dict[Grouping, list[CompositionGroup]]) -> CompositionView:
    told = {
        by: [PartView(**vars(part)) for part in found] for by, found in parts.items()
    }
    whole = next(iter(told[Grouping.ALL]), None)
    return CompositionView(
        all=whole, splits=told[Grouping.SPLIT], sites=told[Grouping.SITE], sizes=told[Grouping.SIZE]
    )
