"""The recipes there are, and what present trainers lack for them."""

from pydantic import BaseModel, Field

from services.api.locales import sentence
from shared.ledger.training.trainers import Trainer
from shared.recipes import NetworkFeatures, Recipe, RefusedRecipeFile, RecipeDirectory, list_recipes


class LackView(BaseModel):
    """A weight file that a trainer has not."""

    trainer: str
    network: str
    files: str = Field(description="Names it may have, parted by slashes.")
    folder: str = Field(description="Where that trainer looks for it.")
    url: str | None = Field(
        description="Where that trainer will fetch it; null where somebody has to put it there."
    )


class RecipeView(BaseModel):
    """A recipe, or a file of own recipes that is none: then `problem` says why, and a run cannot ask for it."""

    name: str = Field(description="Of a refused file: the file's own.")
    version: str | None
    source: str | None
    networks: list[str]
    folds: int | None = Field(
        description="Of cross-validation, unless a run asks for others."
    )
    ships: bool = Field(description="False of one that lies in SERA_RECIPES_DIR.")
    problem: str | None = Field(
        default=None, description="Why the file cannot be used; null where it can."
    )
    trainers: int = Field(
        description="Trainers that told of themselves in the last minutes."
    )
    ready: bool | None = Field(
        description="Whether one of them lacks no file; null where none is there to tell."
    )
    lacks: list[LackView]


def recipe_views(shelf: RecipeDirectory, trainers: list[Trainer]) -> list[RecipeView]:
    """Those that ship, then the own ones, then files that cannot be used; each by name."""
    usable = [_view(recipe, trainers) for recipe in shelf.recipes()]
    return [*usable, *(_refused(each, trainers) for each in shelf.refused_files())]


def _refused(each: RefusedRecipeFile, trainers: list[Trainer]) -> RecipeView:
    problem, _ = sentence(each.error.code, each.error.facts, str(each.error))
    return RecipeView(
        name=each.file,
        version=None,
        source=None,
        networks=[],
        folds=None,
        ships=False,
        problem=problem,
        trainers=len(trainers),
        ready=False,
        lacks=[],
    )


def _view(recipe: Recipe, trainers: list[Trainer]) -> RecipeView:
    networks = {
        each.network for each in recipe.features if isinstance(each, NetworkFeatures)
    }
    lacks = [
        LackView(trainer=trainer.name, **vars(lack) | {"url": lack.url or None})
        for trainer in trainers
        for lack in trainer.missing_weights.get(recipe.name, ())
    ]
    stuck = {lack.trainer for lack in lacks if lack.url is None}
    return RecipeView(
        name=recipe.name,
        ships=recipe.name in list_recipes(),
        version=recipe.version,
        source=recipe.source,
        networks=sorted(networks),
        folds=recipe.validation.folds,
        trainers=len(trainers),
        ready=len(stuck) < len(trainers) if trainers else None,
        lacks=lacks,
    )
