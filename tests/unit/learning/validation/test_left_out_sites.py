from dataclasses import replace

import numpy as np
import pytest

from shared.learning import NoCache, TooFewSamples
from shared.learning.features.fold_features import FixedFeatures
from shared.learning.progress import ignore_progress
from shared.learning.validation.cross_validation import (
    CrossValidation,
    score_out_of_fold,
)
from shared.learning.validation.folds import Fold
from shared.learning.validation.left_out_sites import (
    LeftOutSite,
    judge_left_out_site,
    leave_site_out,
)
from shared.recipes import ComponentSpec, Forest, FusionRule, Kernel, Svm

COUNT = 90
MEMBERS = (
    ComponentSpec((0,), Svm(kernel=(Kernel.LINEAR,), C=(0.1, 1.0))),
    ComponentSpec((0,), Forest(trees=10)),
)
SITES = np.array([("north", "south", "")[number % 3] for number in range(COUNT)])
MALIGNANT = np.arange(COUNT) // 3 % 2 == 0


def all_images(malignant: np.ndarray = MALIGNANT) -> CrossValidation:
    rows = np.arange(COUNT)
    return CrossValidation(
        malignant=malignant,
        groups=np.array([f"{SITES[row]}/{row // 6}" for row in rows]),
        folds=[Fold(training=rows, test=rows[:0])],
        inner_folds=2,
        seed=0,
        fingerprint=f"labels {malignant.tolist()}",
    )


def judge(site: str, malignant: np.ndarray = MALIGNANT) -> LeftOutSite:
    """Judge a site by features with a signal, which another machine shifts at the south."""
    random = np.random.default_rng(0)
    table = random.normal(size=(COUNT, 5)).astype(np.float32)
    table[:, 0] += 2 * MALIGNANT
    table[SITES == "south"] += 1
    cross_validation = leave_site_out(all_images(malignant), SITES, site, count=3)
    scores = score_out_of_fold(
        MEMBERS,
        features=[FixedFeatures("table", table)],
        cross_validation=cross_validation,
        cache=NoCache(),
        progress=ignore_progress,
    )
    return judge_left_out_site(site, FusionRule.WEIGHTED, scores, cross_validation)


def test_no_fold_trains_on_the_site_or_on_an_image_that_may_be_from_there():
    folds = leave_site_out(all_images(), SITES, "north", count=3).folds
    for fold in folds:
        assert set(SITES[fold.training]) == {"south"}
    assert set(SITES[folds[-1].test]) == {"north"}
    others = np.sort(np.concatenate([fold.test for fold in folds[:-1]]))
    np.testing.assert_array_equal(others, np.flatnonzero(SITES == "south"))
    np.testing.assert_array_equal(folds[-1].training, others)


def test_patients_of_the_other_sites_stay_together():
    validation = leave_site_out(all_images(), SITES, "north", count=3)
    for fold in validation.folds:
        training_groups = set(validation.groups[fold.training])
        assert not training_groups & set(validation.groups[fold.test])


def test_the_labels_of_a_site_change_nothing_of_what_its_images_get():
    turned = np.where(SITES == "south", ~MALIGNANT, MALIGNANT)
    judged = judge("south")
    judged_with_turned_labels = judge("south", turned)
    np.testing.assert_array_equal(judged.rows, np.flatnonzero(SITES == "south"))
    np.testing.assert_array_equal(judged.scores, judged_with_turned_labels.scores)
    np.testing.assert_array_equal(judged.risks, judged_with_turned_labels.risks)
    np.testing.assert_array_equal(judged.decisions, judged_with_turned_labels.decisions)


def test_a_shifted_machine_is_decided_at_the_cut_off_of_the_other_sites():
    called = judge("south").decisions
    benign = ~MALIGNANT[SITES == "south"]
    assert called[benign].mean() > judge("north").decisions[benign].mean()


def test_the_results_of_two_left_out_sites_are_stored_apart():
    validation = all_images()
    north = leave_site_out(validation, SITES, "north", count=3)
    south = leave_site_out(validation, SITES, "south", count=3)
    assert len({validation.fingerprint, north.fingerprint, south.fingerprint}) == 3


def test_other_sites_with_few_patients_of_a_class_are_refused():
    few = replace(all_images(), malignant=(SITES == "north") & MALIGNANT)
    with pytest.raises(TooFewSamples):
        leave_site_out(few, SITES, "north", count=3)


def test_a_patient_of_the_site_is_not_trained_on_at_another():
    patients = np.array([str(max(row, 12)) for row in range(COUNT)])
    validation = replace(all_images(), groups=patients)
    for fold in leave_site_out(validation, SITES, "north", count=3).folds:
        at_site = set(patients[SITES == "north"])
        assert not at_site & set(patients[fold.training])
