import os

import pytest

from shared.errors import SeraError
from shared.recipes import (
    RecipeDirectory,
    RecipeFileRefused,
    RecipeMisnamed,
    RecipeNameTaken,
    RecipeNotListed,
    list_recipes,
    load_recipe,
)

TEXT = """
name = "mine"
version = "1"
source = "a test"
[[features]]
families = ["shape"]
[[classifiers]]
kind = "svm"
kernel = ["linear"]
C = [1]
"""


@pytest.fixture
def write_recipe(tmp_path):
    """A function that writes a file into the folder, and returns the directory of recipes."""

    def write(file: str = "mine.toml", text: str = TEXT) -> RecipeDirectory:
        (tmp_path / file).write_text(text)
        return RecipeDirectory(tmp_path)

    return write


def test_custom_recipes_come_after_those_that_ship(write_recipe):
    directory = write_recipe()
    assert [recipe.name for recipe in directory.recipes()] == [*list_recipes(), "mine"]
    assert directory.load("mine").classifiers[0].C == (1.0,)
    assert directory.load("light") == load_recipe("light")
    assert directory.refused_files() == ()


@pytest.mark.parametrize("folder", [None, "absent"])
def test_without_a_folder_only_the_recipes_that_ship_are_listed(folder, tmp_path):
    directory = RecipeDirectory(folder and tmp_path / folder)
    assert [recipe.name for recipe in directory.recipes()] == list(list_recipes())
    assert directory.refused_files() == ()


@pytest.mark.parametrize(
    ("file", "text", "error", "message"),
    [
        (
            "light.toml",
            TEXT,
            RecipeNameTaken,
            "light.toml has the name of a recipe that ships, light",
        ),
        (
            "mine.toml",
            TEXT.replace("mine", "light"),
            RecipeNameTaken,
            "mine.toml has the name .* light",
        ),
        (
            "other.toml",
            TEXT,
            RecipeMisnamed,
            "other.toml says that its `name` is 'mine'",
        ),
        ("a b.toml", TEXT.replace("mine", "a b"), RecipeMisnamed, "letters, digits"),
        ("mine.toml", "name = ", RecipeFileRefused, "mine.toml .* no TOML"),
        (
            "mine.toml",
            f"a = {'[' * 5000}{']' * 5000}",
            RecipeFileRefused,
            "mine.toml .* no TOML",
        ),
        ("mine.toml", f"a = {'9' * 5000}", RecipeFileRefused, "mine.toml .* no TOML"),
        (
            "mine.toml",
            f"{TEXT}#{'.' * 1024 * 1024}",
            RecipeFileRefused,
            "larger than 1024 KiB",
        ),
        (
            "mine.toml",
            TEXT.replace("[1]", "[0]"),
            RecipeFileRefused,
            r"mine.toml .* `classifiers\[0\].C`: 0.0 is not",
        ),
        (
            "mine.toml",
            TEXT.replace("[1]", f"[1{'0' * 400}]"),
            RecipeFileRefused,
            "is no float",
        ),
        (
            "mine.toml",
            TEXT.replace("a test", "\\u0000"),
            RecipeFileRefused,
            "`source`: .* is no str",
        ),
    ],
)
def test_a_file_that_is_no_recipe_is_refused_by_name_and_the_others_stay_usable(
    write_recipe, file, text, error, message
):
    write_recipe("fine.toml", TEXT.replace("mine", "fine"))
    directory = write_recipe(file, text)
    [refused] = directory.refused_files()
    assert refused.file == file
    assert [recipe.name for recipe in directory.custom_recipes()] == ["fine"]
    with pytest.raises(error, match=message):
        raise refused.error
    if file != "light.toml":
        with pytest.raises(error, match=message):
            directory.load(file.removesuffix(".toml"))
    assert directory.load("light") == load_recipe("light")


def test_an_entry_that_is_no_file_or_has_no_readable_name_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.toml")
    (tmp_path / "folder.toml").mkdir()
    (tmp_path / os.fsdecode(b"\xff.toml")).touch()
    messages = {
        refused.file: str(refused.error)
        for refused in RecipeDirectory(tmp_path).refused_files()
    }
    assert list(messages) == ["folder.toml", "pipe.toml", "\ufffd.toml"]
    assert "no file" in messages["pipe.toml"]
    assert all(message.isprintable() for message in messages.values())


@pytest.mark.parametrize("name", ["absent", "", "../mine", "mine.toml", "/etc/passwd"])
def test_a_path_is_no_name_of_a_recipe(write_recipe, name):
    with pytest.raises(
        RecipeNotListed, match="light, modern, sera_vgg16, starter, mine"
    ):
        write_recipe().load(name)


def test_a_file_is_read_again_at_every_call(write_recipe):
    directory = write_recipe()
    write_recipe(text=TEXT.replace("[1]", "[2]"))
    assert directory.load("mine").classifiers[0].C == (2.0,)
    write_recipe(text="")
    with pytest.raises(SeraError):
        directory.load("mine")
