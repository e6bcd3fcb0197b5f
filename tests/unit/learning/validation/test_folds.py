import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.learning import TooFewSamples
from shared.learning.validation.folds import check_group_counts, split_folds


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), groups=st.integers(20, 40), count=st.integers(2, 6))
def test_no_group_is_on_both_sides_and_every_image_is_judged_once(seed, groups, count):
    rng = np.random.default_rng(seed)
    labels_of_groups = np.arange(groups) % 2 == 0
    members = rng.integers(0, groups, 120)
    names = np.array([f"patient {member}" for member in members])
    folds = split_folds(labels_of_groups[members], names, count, seed)
    assert sorted(np.concatenate([fold.test for fold in folds])) == list(range(120))
    for fold in folds:
        assert not set(names[fold.training]) & set(names[fold.test])


def test_few_groups_get_fewer_folds():
    malignant = np.arange(20) < 3
    assert (
        len(
            split_folds(
                malignant, np.array([str(row) for row in range(20)]), 10, seed=0
            )
        )
        == 3
    )


def test_many_images_of_few_patients_are_too_few():
    malignant = np.arange(40) < 20
    groups = np.array([f"patient {row // 10}" for row in range(40)])
    with pytest.raises(TooFewSamples, match="2 benign and 2 malignant"):
        check_group_counts(malignant, groups)
