"""API schemas of the composition of a draft or a version."""

from pydantic import BaseModel, Field

from shared.ledger.datasets.composition import CompositionGroup, Grouping


class PartView(BaseModel):
    name: str | None = Field(description="Null for images whose site is unknown.")
    images: int
    malignant: int
    patients: int = Field(
        description="Number of patients. Each image of an unknown patient counts as one patient."
    )


class CompositionView(BaseModel):
    """Composition of a draft or a version."""

    all: PartView | None = Field(description="Null without images.")
    splits: list[PartView]
    sites: list[PartView]
    sizes: list[PartView] = Field(
        description="`under-10`, `10-20`, `20-40`, `over-40` mm and `unknown`."
    )


def composition_view(parts: dict[Grouping, list[CompositionGroup]]) -> CompositionView:
    views = {
        grouping: [PartView(**vars(group)) for group in groups]
        for grouping, groups in parts.items()
    }
    all_images = next(iter(views[Grouping.ALL]), None)
    return CompositionView(
        all=all_images,
        splits=views[Grouping.SPLIT],
        sites=views[Grouping.SITE],
        sizes=views[Grouping.SIZE],
    )
