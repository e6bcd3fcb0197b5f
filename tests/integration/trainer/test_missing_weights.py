from pathlib import Path

from services.trainer.missing_weights import missing_weights
from shared import recipes
from shared.networks import WeightsFinder, get_network
from shared.networks.errors import WeightsMissing
from shared.recipes import RecipeDirectory


def test_recipes_that_need_no_weights_lack_nothing(tmp_path):
    weights = WeightsFinder(tmp_path, tmp_path, download=False)
    missing = missing_weights(weights, RecipeDirectory(None))
    assert "starter" not in missing
    assert {weights.network for weights in missing["sera_vgg16"]} == {"vgg16"}
    assert {weights.url for weights in missing["lee2019"]} == {""}
    assert {weights.folder for weights in missing["lee2019"]} == {str(tmp_path)}


def test_a_missing_file_has_its_address_and_a_present_one_is_not_listed(tmp_path):
    card = get_network("vgg16").card
    missing = missing_weights(WeightsFinder(None, tmp_path), RecipeDirectory(None))
    assert [weights.url for weights in missing["sera_vgg16"]] == [card.weights.url]
    Path(tmp_path, card.weights.files[0]).touch()
    weights = WeightsFinder(tmp_path, tmp_path / "cache")
    assert "sera_vgg16" not in missing_weights(weights, RecipeDirectory(None))


def test_own_recipes_are_checked_and_one_with_an_unknown_network_misses_no_file(
    tmp_path,
):
    shipped = Path(recipes.__file__).with_name("sera_vgg16.toml").read_text()
    for name, network in {"mine": "vgg16", "odd": "vgg99"}.items():
        text = shipped.replace('name = "sera_vgg16"', f'name = "{name}"').replace(
            '"vgg16"', f'"{network}"'
        )
        (tmp_path / f"{name}.toml").write_text(text.replace("vgg16/", f"{network}/"))
    assert [recipe.name for recipe in RecipeDirectory(tmp_path).custom_recipes()] == [
        "mine",
        "odd",
    ]
    weights = WeightsFinder(tmp_path, tmp_path, download=False)
    missing = missing_weights(weights, RecipeDirectory(tmp_path))
    assert missing["mine"] == missing["sera_vgg16"]
    assert "odd" not in missing


def test_a_run_fails_for_the_files_that_are_reported_as_missing(trainer, run, ledger):
    failed = run(trainer, "sera_vgg16")
    with ledger.system_session("test") as session:
        [present_trainer] = session.trainers.present()
    first_missing = present_trainer.missing_weights["sera_vgg16"][0]
    assert failed.reason == WeightsMissing.code
    assert first_missing.files.split(" / ")[0] in str(failed.message)
