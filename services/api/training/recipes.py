"""Lists the recipes, with the weight files that trainers still need for them."""

from pydantic import BaseModel, Field

from services.api.locales import sentence
from shared.ledger.training.trainers import Trainer
from shared.recipes import (
    NetworkFeatures,
    Recipe,
    RecipeDirectory,
    RefusedRecipeFile,
    list_recipes,
)


class LackView(BaseModel):
    """A weight file that a trainer does not have."""

    trainer: str
    network: str
    files: str = Field(description="Accepted file names, separated by slashes.")
    folder: str = Field(description="Folder in which the trainer looks for the file.")
    url: str | None = Field(
        description="Address from which the trainer will download the file; null if the operator "
        "must put it into the folder."
    )


class RecipeView(BaseModel):
    """A recipe, or a recipe file that cannot be used. `problem` is the reason why no run can use
    the file.
    """

    name: str = Field(
        description="Name of the recipe, or the file name of an unusable file."
    )
    version: str | None
    source: str | None
    networks: list[str]
    folds: int | None = Field(
        description="Folds of cross-validation, unless a run sets another number."
    )
    ships: bool = Field(
        description="Whether the recipe is part of SERA. False for a recipe in SERA_RECIPES_DIR."
    )
    problem: str | None = Field(
        default=None, description="Why the file cannot be used; null if it can."
    )
    trainers: int = Field(
        description="Trainers that sent a sign of life in the last minutes."
    )
    ready: bool | None = Field(
        description="Whether at least one trainer has every file; null without trainers."
    )
    lacks: list[LackView]


def recipe_views(
    directory: RecipeDirectory, trainers: list[Trainer]
) -> list[RecipeView]:
    """Return SERA's recipes, then the installation's own recipes, then files that cannot be used,
    each sorted by name.
    """
    usable = [_view(recipe, trainers) for recipe in directory.recipes()]
    refused = [
        _refused_view(refused_file, trainers)
        for refused_file in directory.refused_files()
    ]
    return [*usable, *refused]


def _refused_view(
    refused_file: RefusedRecipeFile, trainers: list[Trainer]
) -> RecipeView:
    problem, _ = sentence(
        refused_file.error.code, refused_file.error.facts, str(refused_file.error)
    )
    return RecipeView(
        name=refused_file.file,
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
        features.network
        for features in recipe.features
        if isinstance(features, NetworkFeatures)
    }
    lacks = []
    for trainer in trainers:
        for weight_file in trainer.missing_weights.get(recipe.name, ()):
            fields = vars(weight_file) | {"url": weight_file.url or None}
            lacks.append(LackView(trainer=trainer.name, **fields))
    stuck_trainers = {lack.trainer for lack in lacks if lack.url is None}
    return RecipeView(
        name=recipe.name,
        ships=recipe.name in list_recipes(),
        version=recipe.version,
        source=recipe.source,
        networks=sorted(networks),
        folds=recipe.validation.folds,
        trainers=len(trainers),
        ready=len(stuck_trainers) < len(trainers) if trainers else None,
        lacks=lacks,
    )
