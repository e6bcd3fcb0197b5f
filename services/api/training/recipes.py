"""The recipes there are, and what present trainers lack for them."""

from pydantic import BaseModel, Field

from shared.ledger.trainers import Trainer
from shared.recipes import NetworkFeatures, list_recipes, load_recipe


class LackView(BaseModel):
    """A weight file that a trainer has not."""

    trainer: str
    network: str
    files: str = Field(description="Names it may have, parted by slashes.")
    folder: str = Field(description="Where that trainer looks for it.")
    url: str | None = Field(description="Where that trainer will fetch it; null where somebody has to put it there.")


class RecipeView(BaseModel):
    name: str
    version: str
    source: str
    networks: list[str]
    folds: int = Field(description="Of cross-validation, unless a run asks for others.")
    trainers: int = Field(description="Trainers that told of themselves in the last minutes.")
    ready: bool | None = Field(description="Whether one of them lacks no file; null where none is there to tell.")
    lacks: list[LackView]


def recipes(trainers: list[Trainer]) -> list[RecipeView]:
    """By name."""
    return [_view(name, trainers) for name in list_recipes()]


def _view(name: str, trainers: list[Trainer]) -> RecipeView:
    recipe = load_recipe(name)
    networks = {each.network for each in recipe.features if isinstance(each, NetworkFeatures)}
    lacks = [
        LackView(trainer=trainer.name, **vars(lack) | {"url": lack.url or None})
        for trainer in trainers
        for lack in trainer.lacks.get(name, ())
    ]
    stuck = {lack.trainer for lack in lacks if lack.url is None}
    return RecipeView(
        name=name,
        version=recipe.version,
        source=recipe.source,
        networks=sorted(networks),
        folds=recipe.validation.folds,
        trainers=len(trainers),
        ready=len(stuck) < len(trainers) if trainers else None,
        lacks=lacks,
    )
