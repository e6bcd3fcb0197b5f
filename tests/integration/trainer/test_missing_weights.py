from pathlib import Path

from services.trainer.missing_weights import missing_weights
from shared import recipes
from shared.networks import WeightsFinder, get_network
from shared.networks.errors import WeightsMissing
from shared.recipes import RecipeDirectory


def test_recipes_that_need_no_weights_lack_nothing(tmp_path):
    lacks = missing_weights(WeightsFinder(tmp_path, tmp_path, download=False), RecipeDirectory(None))
    assert "starter" not in lacks
    assert {lack.network for lack in lacks["sera_vgg16"]} == {"vgg16"}
    assert all(
        lack.url == "" and lack.folder == str(tmp_path) for lack in lacks["lee2019"]
    )


def test_a_file_that_is_there_is_lacked_no_more_and_one_with_an_address_is_fetched(
    tmp_path,
):
    card = get_network("vgg16").card
    [lack] = missing_weights(WeightsFinder(None, tmp_path), RecipeDirectory(None))["sera_vgg16"]
    assert lack.url == card.weights.url
    Path(tmp_path, card.weights.files[0]).touch()
    assert "sera_vgg16" not in missing_weights(
        WeightsFinder(tmp_path, tmp_path / "cache"), RecipeDirectory(None)
    )


def test_own_recipes_are_looked_through_too_and_one_of_an_unknown_network_lacks_no_file(
    tmp_path,
):
    shipped = Path(recipes.__file__).with_name("sera_vgg16.toml").read_text()
    for name, network in {"mine": "vgg16", "odd": "vgg99"}.items():
        text = shipped.replace('name = "sera_vgg16"', f'name = "{name}"').replace(
            '"vgg16"', f'"{network}"'
        )
        (tmp_path / f"{name}.toml").write_text(text.replace("vgg16/", f"{network}/"))
    assert [recipe.name for recipe in RecipeDirectory(tmp_path).custom_recipes()] == ["mine", "odd"]
    lacks = missing_weights(WeightsFinder(tmp_path, tmp_path, download=False), RecipeDirectory(tmp_path))
    assert lacks["mine"] == lacks["sera_vgg16"]
    assert "odd" not in lacks


def test_what_is_named_as_missing_is_what_a_run_would_fail_for(desk, run, ledger):
    told = run(desk, "sera_vgg16")
    with ledger.system_session("test") as house:
        [trainer] = house.trainers.present()
    assert told.reason == WeightsMissing.code
    assert trainer.lacks["sera_vgg16"][0].files.split(" / ")[0] in str(told.message)
