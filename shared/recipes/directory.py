"""Lists the recipes that ship with SERA and the operator's recipes.

The files are read again at every call.
"""

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
    """A file of the folder that is not a usable recipe, and the error."""

    file: str
    error: SeraError


class RecipeDirectory:
    """The recipes that ship, and the recipes in a folder (SERA_RECIPES_DIR), one `NAME.toml` each.

    Without a folder, or with one that does not exist, only the recipes that ship are listed.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder

    def recipes(self) -> tuple[Recipe, ...]:
        """Return all usable recipes: the recipes that ship, then the custom recipes, by name."""
        shipped = tuple(load_recipe(name) for name in list_recipes())
        return shipped + self.custom_recipes()

    def custom_recipes(self) -> tuple[Recipe, ...]:
        """Return the usable recipes of the folder."""
        return tuple(entry for entry in self._read() if isinstance(entry, Recipe))

    def refused_files(self) -> tuple[RefusedRecipeFile, ...]:
        """Return the files of the folder that cannot be used. The other files stay usable."""
        return tuple(
            entry for entry in self._read() if isinstance(entry, RefusedRecipeFile)
        )

    def load(self, name: str) -> Recipe:
        """Load a recipe by its name.

        Raises
        ------
        RecipeNotListed
            when no recipe has this name.
        RecipeFileRefused, RecipeNameTaken, RecipeMisnamed
            when the file of a custom recipe cannot be used.
        """
        if name in list_recipes():
            return load_recipe(name)
        path = self._find_file(name)
        if path is None:
            names = [recipe.name for recipe in self.recipes()]
            raise RecipeNotListed(name=name, known=", ".join(names))
        return _read_custom_recipe(path)

    def has(self, name: str) -> bool:
        """Return whether a recipe of this name exists, or a custom file that should hold it."""
        return name in list_recipes() or self._find_file(name) is not None

    def _read(self) -> list[Recipe | RefusedRecipeFile]:
        return [_recipe_or_refusal(path) for path in self._files()]

    def _find_file(self, name: str) -> Path | None:
        return next((path for path in self._files() if path.stem == name), None)

    def _files(self) -> list[Path]:
        if self._folder is None or not self._folder.is_dir():
            return []
        return sorted(self._folder.glob("*.toml"))


def _recipe_or_refusal(path: Path) -> Recipe | RefusedRecipeFile:
    try:
        return _read_custom_recipe(path)
    except SeraError as error:
        return RefusedRecipeFile(file=_printable_name(path), error=error)


def _read_custom_recipe(path: Path) -> Recipe:
    file = _printable_name(path)
    if path.stem in list_recipes():
        raise RecipeNameTaken(file=file, name=path.stem)
    if not path.is_file():  # reading a pipe would block
        raise RecipeFileRefused(file=file, key=file, problem="it is no file")
    try:
        recipe = read_recipe_file(path)
    except RecipeInvalid as error:
        raise RecipeFileRefused(file=file, **error.facts) from error
    if recipe.name in list_recipes():
        raise RecipeNameTaken(file=file, name=recipe.name)
    if recipe.name != path.stem or not NAME.fullmatch(recipe.name):
        raise RecipeMisnamed(file=file, name=recipe.name)
    return recipe


def _printable_name(path: Path) -> str:
    """Return a file's name as text. Bytes that are not UTF-8 are replaced."""
    return os.fsencode(path.name).decode(errors="replace")
