import numpy as np
import pytest

from shared.learning.features.fold_features import FixedFeatures
from shared.learning.validation.cross_validation import CrossValidation, FoldEvaluator
from shared.learning.validation.inner_folds import InnerFolds, split_inner_folds
from shared.recipes import ComponentSpec, Forest, Kernel, Svm
from shared.statistics import roc_auc

COUNT = 160
ROWS = np.arange(COUNT)
SITES = np.array(["east", "north", "south", "west"])[ROWS % 4]
MALIGNANT = ROWS // 4 % 2 == 0
GROUPS = np.array([f"patient {row}" for row in ROWS])
KERNELS = ComponentSpec(
    (0,), Svm(kernel=(Kernel.RBF, Kernel.LINEAR), C=(1.0,), gamma=(3.0,))
)
LEAVES = ComponentSpec((0,), Forest(trees=20, min_leaf=(1, 20)))


def machine_features() -> np.ndarray:
    """Return (N, 3): a sign of disease, the machine, and a sign that each machine turns round."""
    random = np.random.default_rng(0)
    machine = ROWS % 4
    turned = np.where(machine % 2 == 0, 1.0, -1.0)
    disease = np.where(MALIGNANT, 1.0, -1.0)
    columns = [0.5 * disease, 2.0 * machine, 1.5 * disease * turned]
    noise = random.normal(size=(COUNT, 3)) * [1.0, 0.1, 0.5]
    return (np.stack(columns, axis=1) + noise).astype(np.float32)


def evaluator(sites: np.ndarray | None) -> FoldEvaluator:
    validation = CrossValidation(
        malignant=MALIGNANT,
        groups=GROUPS,
        folds=[],
        inner_folds=4,
        seed=0,
        fingerprint="a test",
        sites=sites,
    )
    features = [FixedFeatures("machines", machine_features())]
    return FoldEvaluator(features, validation, fold_index=None)


def split(
    sites: np.ndarray | None, malignant: np.ndarray = MALIGNANT, count: int = 4
) -> InnerFolds:
    return split_inner_folds(malignant, groups=GROUPS, sites=sites, count=count, seed=0)


@pytest.mark.parametrize(
    ("component", "by_patient", "by_site"),
    [
        (
            KERNELS,
            {"kernel": "rbf", "C": 1.0, "gamma": 3.0},
            {"kernel": "linear", "C": 1.0},
        ),
        (LEAVES, {"min_leaf": 1}, {"min_leaf": 20}),
    ],
)
def test_other_settings_are_chosen_where_the_machines_are_known(
    component, by_patient, by_site
):
    with evaluator(None) as without_sites, evaluator(SITES) as with_sites:
        assert without_sites.choose_settings(component) == by_patient
        assert with_sites.choose_settings(component) == by_site


def test_each_site_is_judged_by_fits_on_the_others():
    inner = split(SITES)
    assert inner.by_site
    sites = [set(SITES[fold.test]) for fold in inner.folds]
    assert sites == [{"east"}, {"north"}, {"south"}, {"west"}]
    for fold in inner.folds:
        assert not set(SITES[fold.test]) & set(SITES[fold.training])


def test_the_folds_are_by_patient_without_two_sites_that_can_be_judged():
    one_class = np.where(SITES == "east", MALIGNANT, True)
    assert not split(None).by_site
    assert not split(np.full(COUNT, "east")).by_site
    assert not split(np.where(SITES == "east", "east", "")).by_site
    assert not split(SITES, malignant=one_class).by_site


def test_a_site_that_is_too_small_to_be_judged_trains_and_an_unknown_one_does_not():
    sites = np.where(ROWS < 4, "small", SITES)
    sites[sites == "west"] = ""
    inner = split(sites)
    assert len(inner.folds) == 3
    for fold in inner.folds:
        assert "small" in sites[fold.training]
        assert "" not in [*sites[fold.training], *sites[fold.test]]


def test_more_sites_than_folds_are_judged_several_at_once():
    inner = split(SITES, count=2)
    assert inner.by_site
    assert [len(set(SITES[fold.test])) for fold in inner.folds] == [2, 2]
    for fold in inner.folds:
        assert not set(SITES[fold.test]) & set(SITES[fold.training])


def test_a_patient_of_two_sites_is_on_one_side():
    inner = split_inner_folds(
        MALIGNANT, groups=GROUPS[ROWS // 2], sites=SITES, count=4, seed=0
    )
    groups = GROUPS[ROWS // 2]
    for fold in inner.folds:
        assert not set(groups[fold.training]) & set(groups[fold.test])


def test_scores_of_different_sites_are_not_compared():
    scores = MALIGNANT + 10.0 * (ROWS % 4)
    assert split(SITES).area(scores, MALIGNANT) == 1
    assert split(None).area(scores, MALIGNANT) == roc_auc(scores, MALIGNANT) < 0.7
