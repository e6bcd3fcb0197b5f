"""What can be wrong with a recipe, each with the next step."""

from shared.errors import InputError, NotFound


class RecipeUnknown(NotFound):
    code = "recipe-unknown"
    text = "There is no recipe {name!r}. Choose one of {known}, or give the path of a TOML file."


class RecipeNotListed(NotFound):
    """A path is no recipe to a service: it may be another machine, and its files are no business of a request's."""

    code = "recipe-unknown"
    text = "There is no recipe {name!r}. Choose one of {known}, or put its file into SERA_RECIPES_DIR."


class RecipeInvalid(InputError):
    code = "recipe-invalid"
    text = "The recipe's entry `{key}` cannot be used: {problem}. Correct it and load the recipe again."


class RecipeFileRefused(InputError):
    """Of a folder of own recipes; the others in it can be used."""

    code = "recipe-file-refused"
    text = "The recipe file {file} cannot be used, because of its entry `{key}`: {problem}. Correct the file."


class RecipeNameTaken(InputError):
    code = "recipe-name-taken"
    text = "The recipe file {file} has the name of a recipe that ships, {name}. Give the file and its `name` another."


class RecipeMisnamed(InputError):
    code = "recipe-misnamed"
    text = (
        "The recipe file {file} says that its `name` is {name!r}. A file is called as its recipe is, NAME.toml, "
        "of letters, digits, `_`, `-` and dots. Rename one of them."
    )
