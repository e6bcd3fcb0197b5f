"""What can be wrong with a recipe, each with the next step."""

from shared.errors import InputError, NotFound


class RecipeUnknown(NotFound):
    code = "recipe-unknown"
    text = "There is no recipe {name!r}. Choose one of {known}, or give the path of a TOML file."


class RecipeInvalid(InputError):
    code = "recipe-invalid"
    text = "The recipe's entry `{key}` cannot be used: {problem}. Correct it and load the recipe again."
