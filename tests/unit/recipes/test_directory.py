import os

import pytest

from shared.errors import SeraError
from shared.recipes import (
    RecipeFileRefused,
    RecipeMisnamed,
    RecipeNameTaken,
    RecipeNotListed,
    RecipeDirectory,
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
def lay(tmp_path):
    """Lays a file into the folder; returns a shelf with it."""

    def laid(file: str = "mine.toml", text: str = TEXT) -> RecipeDirectory:
        (tmp_path / file).write_text(text)
        return RecipeDirectory(tmp_path)

    return laid


def test_own_recipes_stand_behind_those_that_ship(lay):
    shelf = lay()
    assert [recipe.name for recipe in shelf.recipes()] == [*list_recipes(), "mine"]
    assert shelf.load("mine").classifiers[0].C == (1.0,)
    assert shelf.load("light") == load_recipe("light")
    assert shelf.refused_files() == ()


@pytest.mark.parametrize("folder", [None, "absent"])
def test_without_a_folder_there_is_what_ships(folder, tmp_path):
    shelf = RecipeDirectory(folder and tmp_path / folder)
    assert [recipe.name for recipe in shelf.recipes()] == list(list_recipes())
    assert shelf.refused_files() == ()


@pytest.mark.parametrize(
    ("file", "text", "error", "told"),
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
def test_a_file_that_is_no_recipe_is_refused_by_name_and_takes_nothing_from_the_others(
    lay, file, text, error, told
):
    lay("fine.toml", TEXT.replace("mine", "fine"))
    shelf = lay(file, text)
    [refused] = shelf.refused_files()
    assert refused.file == file
    assert [recipe.name for recipe in shelf.custom_recipes()] == ["fine"]
    with pytest.raises(error, match=told):
        raise refused.error
    if file != "light.toml":
        with pytest.raises(error, match=told):
            shelf.load(file.removesuffix(".toml"))
    assert shelf.load("light") == load_recipe("light")


def test_what_is_no_file_or_has_no_readable_name_is_refused_too(tmp_path):
    os.mkfifo(tmp_path / "pipe.toml")
    (tmp_path / "folder.toml").mkdir()
    (tmp_path / os.fsdecode(b"\xff.toml")).touch()
    found = {each.file: str(each.error) for each in RecipeDirectory(tmp_path).refused_files()}
    assert list(found) == ["folder.toml", "pipe.toml", "\ufffd.toml"]
    assert "no file" in found["pipe.toml"]
    assert all(told.isprintable() for told in found.values())


@pytest.mark.parametrize("name", ["absent", "", "../mine", "mine.toml", "/etc/passwd"])
def test_no_path_is_a_name(lay, name):
    with pytest.raises(RecipeNotListed, match="light, sera_vgg16, starter, mine"):
        lay().load(name)


def test_a_file_is_read_anew_each_time(lay):
    shelf = lay()
    lay(text=TEXT.replace("[1]", "[2]"))
    assert shelf.load("mine").classifiers[0].C == (2.0,)
    lay(text="")
    with pytest.raises(SeraError):
        shelf.load("mine")
