"""The recipes that ship and an operator's own beside them, read anew whenever one is asked for."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from shared.errors import SeraError
from shared.recipes.errors import (
    RecipeFileRefused,
    RecipeInvalid,
    RecipeMisnamed,
    RecipeNameTaken,
    RecipeNotListed,
)
from shared.recipes.library import list_recipes, load_recipe, read_recipe_file
from shared.recipes.recipe import Recipe

NAME = re.compile(r"\w[\w.-]{0,63}")


@dataclass(frozen=True)
class RefusedRecipeFile:
    """A file of the folder that is no recipe here, and why."""

    file: str
    error: SeraError


class RecipeDirectory:
    """A folder of own recipes (SERA_RECIPES_DIR), `NAME.toml` each; none where it is None or not there."""

    def __init__(self, folder: Path | None) -> None:
        self._own = folder

    def recipes(self) -> tuple[Recipe, ...]:
        """All that can be used: those that ship, then the own ones, by name."""
        return (*map(load_recipe, list_recipes()), *self.custom_recipes())

    def custom_recipes(self) -> tuple[Recipe, ...]:
        """Those of the folder that can be used."""
        return tuple(each for each in self._read() if isinstance(each, Recipe))

    def refused_files(self) -> tuple[RefusedRecipeFile, ...]:
        """Files that cannot be used; they take nothing away from the others."""
        return tuple(each for each in self._read() if isinstance(each, RefusedRecipeFile))

    def load(self, name: str) -> Recipe:
        """Raises `RecipeNotListed`, and of an own file that cannot be used what is wrong with it."""
        if name in list_recipes():
            return load_recipe(name)
        path = self._file(name)
        if path is None:
            raise RecipeNotListed(
                name=name, known=", ".join(recipe.name for recipe in self.recipes())
            )
        return _own_recipe(path)

    def has(self, name: str) -> bool:
        """Whether there is a recipe of that name, or an own file that should hold it."""
        return name in list_recipes() or self._file(name) is not None

    def _read(self) -> list[Recipe | RefusedRecipeFile]:
        return [_recipe_or_why(path) for path in self._files()]

    def _file(self, name: str) -> Path | None:
        return next((path for path in self._files() if path.stem == name), None)

    def _files(self) -> list[Path]:
        return (
            sorted(self._own.glob("*.toml")) if self._own and self._own.is_dir() else []
        )


def _recipe_or_why(path: Path) -> Recipe | RefusedRecipeFile:
    try:
        return _own_recipe(path)
    except SeraError as refused:
        return RefusedRecipeFile(_shown(path), refused)


def _own_recipe(path: Path) -> Recipe:
    file = _shown(path)
    if path.stem in list_recipes():
        raise RecipeNameTaken(file=file, name=path.stem)
    if not path.is_file():  # a pipe would be waited for
        raise RecipeFileRefused(file=file, key=file, problem="it is no file")
    try:
        recipe = read_recipe_file(path)
    except RecipeInvalid as wrong:
        raise RecipeFileRefused(file=file, **wrong.facts) from wrong
    if recipe.name in list_recipes():
        raise RecipeNameTaken(file=file, name=recipe.name)
    if recipe.name != path.stem or not NAME.fullmatch(recipe.name):
        raise RecipeMisnamed(file=file, name=recipe.name)
    return recipe


def _shown(path: Path) -> str:
    """A file's name as it can be told: bytes that are no text are replaced."""
    return os.fsencode(path.name).decode(errors="replace")
