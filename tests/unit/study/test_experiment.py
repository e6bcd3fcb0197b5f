"""The whole experiment on phantoms, with networks of random weights."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from shared.bundles import load, save
from shared.learning import FittedModel, recipe_framing
from shared.networks import WeightsFinder, WeightsMissing
from shared.phantoms import draw
from shared.recipes import OutlinePlan, Recipe, read_recipe
from shared.statistics import roc_auc
from shared.study.checkpoints import FolderCache
from shared.study.experiment import run_experiment
from shared.study.feasible import feasible_recipe
from shared.study.folder import LabelledFolder
from shared.study.results import Section, Study
from tests.support.builders import encode

COUNT = 16
RECIPE = {
    "name": "small",
    "version": "1",
    "source": "the tests",
    "features": [
        {
            "network": "squeezenet",
            "taps": ["avg"],
            "tuning": "fine-tune",
            "frozen": "fire8",
        },
        {"network": "mobilenet_v2", "taps": ["block3.inside"], "label": "absent"},
        {"families": ["shape", "intensity"]},
        {"families": ["glcm"], "label": "texture"},
    ],
    "classifiers": [
        {"kind": "svm", "kernel": ["linear"], "C": [0.1, 1]},
        {"kind": "forest", "trees": 10},
    ],
    "tuning": {"epochs": 2, "rates": [0.001], "batch": 8},
    "validation": {"folds": 2, "inner_folds": 2},
    "fusion": {
        "members": ["squeezenet/svm", "absent/svm", "handcrafted/forest"],
        "rule": "mean",
    },
    "ensembles": [
        {"name": "one", "members": ["handcrafted/svm", "texture/svm"]},
        {"name": "two", "members": ["absent/svm", "texture/svm"], "rule": "vote"},
    ],
}


class Steps(list):
    def __call__(self, stage, fraction, message, metrics):
        self.append((stage, fraction))


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return read_recipe(RECIPE)


@pytest.fixture(scope="module")
def weights(tmp_path_factory, filled) -> WeightsFinder:
    """SqueezeNet's alone."""
    folder = tmp_path_factory.mktemp("weights")
    torch.save(filled("squeezenet").state_dict(), folder / "squeezenet1_1.pth")
    return WeightsFinder(folder, folder / "cache", download=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> LabelledFolder:
    """Phantoms with masks at two sites, two images a patient, judged by two people."""
    root = tmp_path_factory.mktemp("study")
    lines = ["image,mask,malignant,patient,site,reader_ann,reader_ben"]
    for seed in range(COUNT):
        phantom = draw(seed, malignant=bool(seed % 2), size_px=128)
        (root / f"{seed}.png").write_bytes(encode(phantom.pixels))
        (root / f"{seed}.mask.png").write_bytes(encode(phantom.mask * 255))
        ann = int(seed % 2 if seed % 5 else 1 - seed % 2)
        lines.append(
            f"{seed}.png,{seed}.mask.png,{seed % 2},p{seed // 4 * 2 + seed % 2},s{seed % 3},{ann},{seed % 7}"
        )
    (root / "manifest.csv").write_text("\n".join(lines))
    return LabelledFolder.open(root)


@pytest.fixture(scope="module")
def cache_folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def steps() -> Steps:
    return Steps()


@pytest.fixture(scope="module")
def outcome(folder, recipe, weights, cache_folder, steps) -> tuple[Study, FittedModel]:
    return run_experiment(
        folder, recipe, weights, cache=FolderCache(cache_folder), progress=steps
    )


def rows_of(study: Study, section: Section) -> dict:
    return {row.name: row for row in study.rows if row.section is section}


def test_every_section_is_filled(outcome):
    study, _ = outcome
    assert list(rows_of(study, Section.TUNED)) == [
        "squeezenet, last layer tuned / softmax",
        "squeezenet, fine-tuned / softmax",
    ]
    assert list(rows_of(study, Section.FEATURES)) == [
        f"{name} / {kind}"
        for name in (
            "squeezenet avg, fine-tuned",
            "handcrafted",
            "texture",
            "squeezenet avg, not tuned",
        )
        for kind in ("svm", "forest")
    ]
    assert len(rows_of(study, Section.SMALL_CONCATENATIONS)) == (3 + 1) * 2
    assert len(rows_of(study, Section.LARGE_CONCATENATIONS)) == 0
    names = list(rows_of(study, Section.ENSEMBLES))
    assert names[:2] == [
        "(a) squeezenet avg, fine-tuned / mean",
        "(a) squeezenet avg, fine-tuned / vote",
    ]
    assert "(b) svm of every set / vote" in names
    assert "(c) all together / mean" in names
    assert names[-1] == "one, as declared / mean"
    assert list(rows_of(study, Section.MODEL)) == ["small"]
    assert list(rows_of(study, Section.READERS)) == ["ann", "ben"]


def test_rows_hold_a_score_a_risk_and_a_decision_for_every_image(outcome):
    study, _ = outcome
    for row in study.rows:
        if row.section is not Section.READERS:
            assert (
                row.scores.shape == row.risks.shape == row.decisions.shape == (COUNT,)
            )
            assert np.isfinite(row.scores).all()
            assert ((row.risks > 0) & (row.risks < 1)).all()
    assert study.images[:2] == ("0.png", "1.png")
    assert set(study.sites) == {"s0", "s1", "s2"}


def test_what_a_missing_weight_file_keeps_from_being_computed_is_named(outcome):
    study, _ = outcome
    (cell, *declared) = study.missing_rows
    assert (cell.section, cell.name) == (Section.FEATURES, "absent")
    assert "mobilenet_v2.pth" in cell.reason
    assert {(row.section, "absent/svm" in row.name) for row in declared} == {
        (Section.MODEL, True),
        (Section.ENSEMBLES, True),
    }


def test_the_model_s_row_is_what_its_metrics_say(outcome):
    study, model = outcome
    (row,) = rows_of(study, Section.MODEL).values()
    assert roc_auc(row.scores, study.malignant) == model.metrics["auc"]
    assert row.facts["members"] == "squeezenet/svm, handcrafted/forest"


def test_the_chosen_course_of_a_tuned_network_is_told(outcome):
    study, _ = outcome
    settings = study.settings["squeezenet, fine-tuned / softmax"]
    assert settings["rate"] == "0.001 (2)"
    assert set(settings) == {"rate", "decay", "epochs"}


def test_an_interrupted_experiment_goes_on_where_it_was_and_ends_the_same(
    outcome, folder, recipe, weights, cache_folder, tmp_path
):
    study, _ = outcome
    half = tmp_path / "half"
    shutil.copytree(cache_folder, half)
    for number, entry in enumerate(
        sorted(path for path in half.rglob("*") if path.is_file())
    ):
        if number % 2:
            entry.unlink()
    repeated, _ = run_experiment(
        folder, recipe, weights, cache=FolderCache(half), progress=Steps()
    )
    for row, repeated_row in zip(study.rows, repeated.rows, strict=True):
        if row.scores is not None:
            np.testing.assert_allclose(row.scores, repeated_row.scores, atol=1e-3)


def test_progress_rises_within_each_stage(outcome, steps):
    last_fraction: dict[str, float] = {}
    for stage, fraction in steps:
        assert last_fraction.get(stage, 0) <= fraction <= 1
        last_fraction[stage] = fraction
    assert last_fraction["tuning"] == last_fraction["features"] == 1


def test_the_final_model_is_saved_and_loaded_with_its_tuned_network(
    outcome, folder, tmp_path
):
    _, model = outcome
    save(model, tmp_path / "bundle", synthetic=True)
    nodules = [
        sample.load(recipe_framing(model.recipe)) for sample in folder.samples()[:4]
    ]
    loaded = load(tmp_path / "bundle")
    assert [p.score for p in loaded.predict(nodules)] == pytest.approx(
        [p.score for p in model.predict(nodules)]
    )
    assert loaded.model.extractors[0].network.head is not None


def test_a_recipe_without_any_weights_is_refused(recipe, tmp_path):
    none = WeightsFinder(tmp_path, tmp_path, download=False)
    with pytest.raises(WeightsMissing):
        feasible_recipe(recipe.with_feature_sets(["squeezenet", "absent"]), none, 0)


@pytest.mark.usefixtures("outcome")
def test_a_network_whose_tuning_runs_away_is_left_out_and_named(
    folder, weights, cache_folder, tmp_path
):
    table = {name: value for name, value in RECIPE.items() if name != "ensembles"}
    table |= {
        "features": [{"network": "squeezenet", "taps": ["avg"], "frozen": "fire8"}]
    }
    table |= {
        "fusion": {"members": ["squeezenet/svm"]},
        "tuning": {"epochs": 2, "rates": [1e30], "batch": 8},
    }
    cache_copy = shutil.copytree(cache_folder, tmp_path / "known")
    study, _ = run_experiment(
        folder,
        read_recipe(table),
        weights,
        cache=FolderCache(cache_copy),
        progress=Steps(),
    )
    missing_problems = {
        (row.section, row.name)
        for row in study.missing_rows
        if "smaller `rates`" in row.reason
    }
    assert (Section.TUNED, "squeezenet, fine-tuned / softmax") in missing_problems
    assert (Section.FEATURES, "squeezenet avg, fine-tuned / svm") in missing_problems
    assert list(rows_of(study, Section.FEATURES)) == [
        "squeezenet avg, not tuned / svm",
        "squeezenet avg, not tuned / forest",
    ]


def test_without_its_encoders_weights_a_recipe_reads_rois_as_they_are(recipe, weights):
    plan = OutlinePlan(encoder="mobilenet_v2", deepest="block17", frozen="")
    formulas = recipe.with_feature_sets({"handcrafted"})
    feasible, missing = feasible_recipe(replace(formulas, outline=plan), weights, 0)
    assert feasible.outline is None
    assert [row.name for row in missing] == ["outline"]
