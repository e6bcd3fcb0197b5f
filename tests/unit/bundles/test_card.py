import json
import shutil

import pytest

from shared.bundles import load
from shared.bundles.card import model_card
from tests.support.builders import as_format_2


@pytest.fixture
def bundle(saved):
    return load(*saved)


def test_a_card_is_plain_and_says_which_model_it_is_of(bundle):
    told = model_card(bundle)
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert (told["model"]["digest"], told["model"]["positive"]) == (
        bundle.digest,
        "malignant",
    )


def test_a_synthetic_model_is_meant_for_no_patient(bundle):
    told = model_card(bundle)
    assert told["model"]["synthetic"]
    assert told["data"]["synthetic"]
    assert "patient" in told["not_intended"][0]
    assert not any("second opinion" in each for each in told["intended"])


def test_rates_come_with_counts_and_intervals(bundle):
    rates = model_card(bundle)["performance"]["rates"]
    assert set(rates) == {"sensitivity", "specificity", "accuracy"}
    sensitivity = rates["sensitivity"]
    assert sensitivity["of"] == 12
    assert sensitivity["value"] == pytest.approx(bundle.manifest.metrics["sensitivity"])
    assert sensitivity["low"] <= sensitivity["value"] <= sensitivity["high"]


def test_every_network_has_its_source_and_the_licence_of_its_weights(bundle):
    network, formulas = model_card(bundle)["recipe"]["features"]
    assert network["weights"]["licence"]
    assert "phantoms" in network["tuning"]
    assert formulas["weights"] is None
    assert "IBSI" in formulas["tuning"]


def test_every_reader_has_its_settings_and_its_own_area(bundle):
    readers = model_card(bundle)["recipe"]["readers"]
    assert [each["name"] for each in readers] == [
        "sera_tiny/svm",
        "sera_tiny/forest",
        "handcrafted/svm",
        "handcrafted/forest",
    ]
    assert all(0 <= each["auc"] <= 1 for each in readers)


def test_the_limits_tell_of_unknown_sites_and_patients(bundle):
    told = " ".join(model_card(bundle)["limits"])
    assert "where they come from" in told
    assert "For 24 of 24 images the patient is not known" in told
    assert "none is named here" in model_card(bundle)["performance"]["how"]


def test_a_bundle_of_format_2_has_a_card_without_what_it_did_not_keep(saved, tmp_path):
    told = model_card(load(as_format_2(shutil.copytree(saved[0], tmp_path / "old"))))
    assert (told["operating_points"], told["conformal"], told["calibration"]) == (
        None,
        None,
        None,
    )
    assert told["performance"]["rates"]["sensitivity"]["low"] is None
