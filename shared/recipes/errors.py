"""Errors of recipes, each with the next step."""

from shared.errors import InputError, NotFound


class RecipeUnknown(NotFound):
    code = "recipe-unknown"
    text = "There is no recipe {name!r}. Choose one of {known}, or give the path of a TOML file."


class RecipeNotListed(NotFound):
    """A request names a recipe that no service lists.

    A service never opens a path from a request: the path may belong to another machine, and a
    request has no right to the service's files.
    """

    code = "recipe-unknown"
    text = (
        "There is no recipe {name!r}. "
        "Choose one of {known}, or put its file into SERA_RECIPES_DIR."
    )


class RecipeInvalid(InputError):
    code = "recipe-invalid"
    text = (
        "The recipe's entry `{key}` cannot be used: {problem}. "
        "Correct it and load the recipe again."
    )


class RecipeFileRefused(InputError):
    """One file of the folder of custom recipes cannot be used. The other files stay usable."""

    code = "recipe-file-refused"
    text = (
        "The recipe file {file} cannot be used, because of its entry `{key}`: {problem}. "
        "Correct the file."
    )


class RecipeNameTaken(InputError):
    code = "recipe-name-taken"
    text = (
        "The recipe file {file} has the name of a recipe that ships, {name}. "
        "Give the file and its `name` another."
    )


class RecipeMisnamed(InputError):
    code = "recipe-misnamed"
    text = (
        "The recipe file {file} says that its `name` is {name!r}. "
        "A file is called as its recipe is, NAME.toml, "
        "of letters, digits, `_`, `-` and dots. Rename one of them."
    )
