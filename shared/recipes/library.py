"""Loads the recipes that ship, and recipes from a path."""

import tomllib
from pathlib import Path

from shared.recipes.errors import RecipeInvalid, RecipeUnknown
from shared.recipes.parser import read_recipe
from shared.recipes.recipe import Recipe

_FOLDER = Path(__file__).parent
MAX_FILE_BYTES = 1024 * 1024
"""The longest recipe that ships has 3 kB."""


def list_recipes() -> tuple[str, ...]:
    """List the names of the recipes that ship."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.toml")))


def load_recipe(name: str | Path) -> Recipe:
    """Load a recipe by its name, or from a TOML file. Raises `RecipeUnknown`, `RecipeInvalid`."""
    path = _FOLDER / f"{name}.toml" if name in list_recipes() else Path(name)
    if path.suffix != ".toml" or not path.is_file():
        raise RecipeUnknown(name=str(name), known=", ".join(list_recipes()))
    return read_recipe_file(path)


def read_recipe_file(path: Path) -> Recipe:
    """Read the recipe in a TOML file. Raises `RecipeInvalid`."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise RecipeInvalid(
                key=path.name,
                problem=f"the file is larger than {MAX_FILE_BYTES // 1024} KiB",
            )
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RecipeInvalid(
            key=path.name, problem=f"the file cannot be read ({error.strerror})"
        ) from error
    except (ValueError, RecursionError) as error:
        raise RecipeInvalid(
            key=path.name, problem=f"it is no TOML ({error})"
        ) from error
    return read_recipe(table)
