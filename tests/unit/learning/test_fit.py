from dataclasses import replace

import numpy as np
import pytest

from shared.domain.results.prediction import Verdict
from shared.imaging.grey import COLOUR_OVERLAY
from shared.imaging.image import Nodule
from shared.learning import (
    GroupInTrainAndTest,
    Sample,
    SingleClass,
    TooFewSamples,
    check_no_shared_groups,
    fingerprint,
    fit,
    phantom_samples,
    recipe_framing,
)
from shared.networks import WeightsMissing
from shared.recipes import load_recipe, read_recipe


@pytest.fixture(scope="module")
def nodules(recipe):
    return [sample.load(recipe_framing(recipe)) for sample in phantom_samples(10, 500)]


def test_a_batch_gives_each_nodule_the_answer_it_gets_alone(model, nodules):
    for in_batch, nodule in zip(model.predict(nodules), nodules, strict=True):
        (alone,) = model.predict([nodule])
        assert alone.score == pytest.approx(in_batch.score, abs=1e-5)
        assert alone.decision == in_batch.decision


def test_a_nodule_that_cannot_be_read_fails_alone(model, nodules):
    hollow = Nodule(nodules[0].pixels, np.zeros_like(nodules[0].mask))
    first, error, last = model.predict_each([nodules[0], hollow, nodules[1]])
    assert error.code == "region-empty"
    assert [first, last] == pytest.approx(model.predict(nodules[:2]))


def test_no_nodules_give_no_predictions(model):
    assert model.predict_each([]) == []


def test_every_classifier_is_fitted_on_every_feature_set(model, nodules):
    (prediction,) = model.predict(nodules[:1])
    assert [
        (component.network, component.classifier) for component in prediction.components
    ] == [
        ("sera_tiny", "svm"),
        ("sera_tiny", "forest"),
        ("handcrafted", "svm"),
        ("handcrafted", "forest"),
    ]
    assert prediction.components[2].tap == "shape+intensity"
    assert prediction.score == pytest.approx(
        np.mean([component.probability for component in prediction.components])
    )


def test_the_decision_follows_the_cutoff_and_the_risk_the_score(model, nodules):
    predictions = sorted(
        model.predict(nodules), key=lambda prediction: prediction.score
    )
    assert [p.risk for p in predictions] == sorted(p.risk for p in predictions)
    for prediction in predictions:
        expected = (
            Verdict.MALIGNANT if prediction.score >= model.cutoff else Verdict.BENIGN
        )
        assert prediction.decision in (expected, Verdict.REFER)


def test_an_image_unlike_the_training_images_is_referred(model):
    stripes = np.tile(np.array([0, 255], np.uint8), (96, 48))
    nodule = Nodule(stripes, np.ones(stripes.shape, bool))
    without_gate = replace(model, frames=None, belonging=None)
    (prediction,) = without_gate.predict([nodule])
    assert prediction.decision is Verdict.REFER
    assert [finding.code for finding in prediction.findings] == ["out-of-distribution"]
    assert prediction.frame_distance is None


def test_a_picture_unlike_the_training_pictures_is_referred_for_that_alone(
    model, nodules
):
    """The nodule is that of a training image; the picture around it is a text page."""
    page = np.full((256, 256), 245, np.uint8)
    page[20:236:12, 10:246:2] = 10
    expected, prediction = model.predict([nodules[0], replace(nodules[0], frame=page)])
    assert expected.decision is not Verdict.REFER
    assert (prediction.score, prediction.decision) == (
        pytest.approx(expected.score),
        Verdict.REFER,
    )
    assert prediction.frame_distance > 1 >= expected.frame_distance
    assert [finding.code for finding in prediction.findings] == ["foreign-image"]


def test_a_coloured_picture_is_referred_if_none_was_in_colour_in_training(
    model, nodules
):
    coloured = replace(nodules[0], findings=(COLOUR_OVERLAY,))
    (prediction,) = model.predict([coloured])
    assert [finding.code for finding in prediction.findings] == ["foreign-image"]


def test_the_pictures_of_unseen_phantoms_belong(model, nodules):
    predictions = model.predict(nodules)
    assert all(prediction.frame_distance <= 1 for prediction in predictions)


def test_each_risk_has_an_interval(model, nodules):
    for prediction in model.predict(nodules):
        low, high = prediction.risk_interval
        assert 0 <= low < high <= 1


def test_the_metrics_name_every_component_and_the_interval(model):
    metrics = model.metrics
    assert metrics["auc_low"] <= metrics["auc"] <= metrics["auc_high"]
    assert {
        "auc sera_tiny/svm",
        "auc handcrafted/forest",
        "sensitivity",
        "specificity",
        "brier",
    } <= set(metrics)
    assert metrics["images"] == 40
    counts = [
        metrics[name]
        for name in (
            "true_positives",
            "false_negatives",
            "false_positives",
            "true_negatives",
        )
    ]
    assert sum(counts) == 40
    assert metrics["sensitivity"] == counts[0] / (counts[0] + counts[1])
    assert metrics["prevalence"] == model.training.prevalence == 0.5


@pytest.fixture(scope="module")
def formulas(recipe):
    """The recipe with two sets of formulas and no network."""
    sets = [{"families": ["shape"]}, {"families": ["intensity"], "label": "intensity"}]
    return read_recipe({**recipe.as_table(), "features": sets})


def test_patients_and_sites_are_counted_where_they_are_named(formulas, no_weights):
    named = [
        replace(sample, patient=f"p{index // 2}", site="north" if index < 10 else None)
        if index < 30
        else sample
        for index, sample in enumerate(phantom_samples(40, 0))
    ]
    fitted = fit(named, formulas, no_weights)
    assert (fitted.frames, fitted.belonging) == (None, None)
    training = fitted.training
    assert (training.patients, training.groups) == (15, 25)
    assert training.sites == {"north": 10}


def test_the_same_seed_gives_the_same_model(model, recipe, no_weights, nodules):
    refitted = fit(phantom_samples(40, 0), recipe, no_weights)
    assert refitted.metrics == pytest.approx(dict(model.metrics))
    assert [p.score for p in refitted.predict(nodules)] == pytest.approx(
        [p.score for p in model.predict(nodules)]
    )


def test_progress_ends_each_stage_at_one(recipe, no_weights):
    fractions = {}

    def record(stage, fraction, message, metrics):
        assert fractions.get(stage, 0) <= fraction <= 1
        assert str(message) != message.code, "its text needs other facts"
        fractions[stage] = fraction

    fit(phantom_samples(24, 0), recipe, no_weights, progress=record)
    assert fractions == {"network": 1, "features": 1, "readers": 1, "final": 1}


def test_declared_members_alone_take_part(formulas, no_weights, nodules):
    fusion = {"members": ["handcrafted/svm"], "rule": "mean"}
    declared = read_recipe({**formulas.as_table(), "fusion": fusion})
    (prediction,) = fit(phantom_samples(24, 0), declared, no_weights).predict(
        nodules[:1]
    )
    assert [
        (component.network, component.classifier) for component in prediction.components
    ] == [("handcrafted", "svm")]


def test_one_class_alone_is_refused_before_any_work(recipe, no_weights):
    benign = [replace(sample, malignant=False) for sample in phantom_samples(10, 0)]
    with pytest.raises(SingleClass, match="10 labelled images are benign"):
        fit(benign, recipe, no_weights)


def test_too_few_patients_are_refused(recipe, no_weights):
    formula_only = read_recipe(
        {**recipe.as_table(), "features": [{"families": ["shape"]}]}
    )
    one_patient_per_class = [
        replace(sample, patient=f"p{sample.malignant}")
        for sample in phantom_samples(24, 0)
    ]
    with pytest.raises(TooFewSamples):
        fit(one_patient_per_class, formula_only, no_weights)


def test_missing_weights_are_named(no_weights):
    with pytest.raises(WeightsMissing, match="squeezenet"):
        fit(phantom_samples(4, 0), load_recipe("light"), no_weights)


def sample(key: str, patient: str | None = None, site: str | None = None) -> Sample:
    return Sample(key, lambda: None, patient, site, malignant=True)


def test_a_patient_on_both_sides_of_a_split_is_refused():
    with pytest.raises(GroupInTrainAndTest):
        check_no_shared_groups([sample("a", "7"), sample("b", "8")], [sample("c", "7")])


def test_equal_patient_numbers_of_two_sites_are_two_patients():
    check_no_shared_groups([sample("a", "7", "north")], [sample("b", "7", "south")])


def test_the_same_image_without_a_patient_is_one_group():
    with pytest.raises(GroupInTrainAndTest):
        check_no_shared_groups([sample("a")], [sample("a")])


def test_a_data_set_s_fingerprint_depends_on_labels_and_not_on_order():
    first = sample("a")
    second = sample("b")
    assert fingerprint([first, second]) == fingerprint([second, first])
    assert fingerprint([first, second]) != fingerprint(
        [first, replace(second, malignant=False)]
    )
