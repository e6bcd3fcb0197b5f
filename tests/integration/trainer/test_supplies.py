from pathlib import Path

from services.trainer.supplies import lacking
from shared.networks import WeightsFinder, get_network
from shared.networks.errors import WeightsMissing


def test_recipes_that_need_no_weights_lack_nothing(tmp_path):
    lacks = lacking(WeightsFinder(tmp_path, tmp_path, download=False))
    assert "starter" not in lacks
    assert {lack.network for lack in lacks["sera_vgg16"]} == {"vgg16"}
    assert all(lack.url == "" and lack.folder == str(tmp_path) for lack in lacks["lee2019"])


def test_a_file_that_is_there_is_lacked_no_more_and_one_with_an_address_is_fetched(tmp_path):
    card = get_network("vgg16").card
    [lack] = lacking(WeightsFinder(None, tmp_path))["sera_vgg16"]
    assert lack.url == card.weights.url
    Path(tmp_path, card.weights.files[0]).touch()
    assert "sera_vgg16" not in lacking(WeightsFinder(tmp_path, tmp_path / "cache"))


def test_what_is_named_as_missing_is_what_a_run_would_fail_for(desk, run, ledger):
    told = run(desk, "sera_vgg16")
    with ledger.whole("test") as house:
        [trainer] = house.trainers.present()
    assert told.reason == WeightsMissing.code
    assert trainer.lacks["sera_vgg16"][0].files.split(" / ")[0] in told.message
