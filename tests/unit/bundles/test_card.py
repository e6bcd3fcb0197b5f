import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import safetensors.numpy

from shared.bundles import load
from shared.bundles.card import model_card
from shared.bundles.errors import BundleUnreadable
from shared.bundles.evidence import pack, unpack
from shared.statistics import ASSUMED_PREVALENCE
from tests.support.builders import as_format_2


@pytest.fixture
def bundle(saved):
    return load(*saved)


def test_a_card_is_plain_json_and_names_its_model(bundle):
    card = model_card(bundle)
    assert json.loads(json.dumps(card, allow_nan=False)) == card
    assert (card["model"]["digest"], card["model"]["positive"]) == (
        bundle.digest,
        "malignant",
    )


def test_a_synthetic_model_is_not_intended_for_patients(bundle):
    card = model_card(bundle)
    assert card["model"]["synthetic"]
    assert card["data"]["synthetic"]
    assert "patient" in card["not_intended"][0]
    assert not any("second opinion" in use for use in card["intended"])


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


def test_every_component_has_its_own_auc(bundle):
    components = model_card(bundle)["recipe"]["readers"]
    assert [component["name"] for component in components] == [
        "sera_tiny/svm",
        "sera_tiny/forest",
        "handcrafted/svm",
        "handcrafted/forest",
    ]
    assert all(0 <= component["auc"] <= 1 for component in components)


def test_the_limits_name_unknown_sites_and_patients(bundle):
    limits = " ".join(model_card(bundle)["limits"])
    assert "where they come from" in limits
    assert "For 24 of 24 images the patient is not known" in limits
    assert "none is named here" in model_card(bundle)["performance"]["how"]


def test_decision_curves_come_back_from_the_file_at_both_prevalences(bundle):
    own, assumed = model_card(bundle)["decision_curves"]
    assert own["prevalence"] == bundle.prevalence
    assert assumed["prevalence"] == ASSUMED_PREVALENCE
    for curve, stored in zip(
        (own, assumed), bundle.model.evidence.decision_curves, strict=True
    ):
        point = curve["points"][19]
        assert point["threshold"] == 0.20
        assert point["net_benefit"] == stored.net_benefit[19]
        assert point["low"] <= point["net_benefit"] <= point["high"]
        assert point["biopsy_all"] == pytest.approx(
            curve["prevalence"] - (1 - curve["prevalence"]) / 4
        )
        for threshold in curve["superior_at"]:
            best = curve["points"][round(100 * threshold) - 1]
            assert best["low"] > max(best["biopsy_all"], curve["biopsy_none"])


def test_a_bundle_of_the_release_before_has_no_decision_curve(bundle):
    evidence = bundle.model.evidence
    arrays = safetensors.numpy.load(pack(evidence))
    older = {
        name: array for name, array in arrays.items() if not name.startswith("curve_")
    }
    entry = bundle.manifest.evidence
    without = replace(bundle.model, evidence=unpack(entry, older))
    assert model_card(replace(bundle, model=without))["decision_curves"] is None


@pytest.mark.parametrize(
    "changes",
    [
        {"curve_threshold": np.linspace(0.1, 0.5, 5)},
        {"curve_threshold": np.linspace(0, 1, 60)},
        {"curve_prevalence": np.array([0.2, 1.0])},
        {"curve_net_benefit": np.zeros(3)},
        {"curve_prevalence": None},
    ],
)
def test_broken_curves_are_refused(bundle, changes):
    arrays = safetensors.numpy.load(pack(bundle.model.evidence)) | changes
    kept = {name: array for name, array in arrays.items() if array is not None}
    with pytest.raises(BundleUnreadable):
        unpack(bundle.manifest.evidence, kept)


def test_the_card_of_a_bundle_of_format_2_has_no_evidence(saved, tmp_path):
    folder = shutil.copytree(saved[0], tmp_path / "old")
    card = model_card(load(as_format_2(folder)))
    assert card["decision_curves"] is None
    assert (card["operating_points"], card["conformal"], card["calibration"]) == (
        None,
        None,
        None,
    )
    assert card["performance"]["rates"]["sensitivity"]["low"] is None


def test_the_risk_has_an_interval_that_contains_it_at_some_scores(bundle):
    intervals = model_card(bundle)["risk_intervals"]
    assert "Venn-Abers" in intervals["guarantee"]
    assert [row["quantile"] for row in intervals["rows"]] == [
        0.05,
        0.25,
        0.5,
        0.75,
        0.95,
    ]
    assert all(row["low"] <= row["risk"] <= row["high"] for row in intervals["rows"])
    assert model_card(bundle)["recipe"]["judges_whole_pictures"]


def test_a_model_without_calibration_cases_has_no_intervals(saved, tmp_path):
    old = as_format_2(shutil.copytree(saved[0], tmp_path / "old"))
    assert model_card(load(old))["risk_intervals"] is None
