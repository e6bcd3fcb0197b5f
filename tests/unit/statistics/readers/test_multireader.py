import numpy as np
import pytest

from shared.statistics import (
    ScoresInvalid,
    SingleClass,
    delong_test,
    obuchowski_rockette,
)
from shared.statistics.readers.multireader import from_areas

VAN_DYKE = np.array(
    [
        [0.91964573, 0.85877617, 0.90386473, 0.97310789, 0.82979066],
        [0.94782609, 0.90531401, 0.92173913, 0.99935588, 0.92995169],
    ]
)
VAR = 0.00080228827
COV1 = 0.00034661371
COV2 = 0.00034407483
COV3 = 0.00023902837


def components(readers, var, cov1, cov2, cov3):
    """The covariance matrix of four components.

    They are the variance of one AUC, and the covariances of one reader, of one condition, of
    neither.
    """
    same_reader = np.eye(readers, dtype=bool)
    same_condition = np.eye(2, dtype=bool)
    expected = (
        np.where(same_reader, cov1, cov3)[None, None]
        * ~same_condition[:, :, None, None]
    )
    expected = (
        expected
        + np.where(same_reader, var, cov2)[None, None]
        * same_condition[:, :, None, None]
    )
    return expected.transpose(0, 2, 1, 3).reshape(2 * readers, 2 * readers)


def scores(random, readers=4, cases=80, gain=0.0):
    labels = np.arange(cases) % 2 == 0
    case = random.normal(size=cases) + 1.2 * labels
    reader_scores = case + random.normal(0, 0.6, (readers, cases))
    first, second = reader_scores + random.normal(0, 0.3, (2, readers, cases))
    return first, second + gain * labels, labels


def test_van_dykes_aortic_dissections_give_the_published_test():
    """Van Dyke 1993: five readers, two kinds of MR, 114 patients.

    The figures are those that RJafroc 2 prints (dataset02).
    """
    found = from_areas(VAN_DYKE, components(5, VAR, COV1, COV2, COV3), 114)
    assert found.f == pytest.approx(4.4563187, abs=1e-5)
    assert found.degrees_of_freedom == pytest.approx(15.259675, abs=1e-4)
    assert found.p_value == pytest.approx(0.051665686, abs=1e-6)
    assert (found.first, found.second) == pytest.approx(
        (0.89703704, 0.94083736), abs=1e-7
    )
    assert found.difference == pytest.approx(0.043800322, abs=1e-7)
    ends = found.interval.low, found.interval.high
    assert ends == pytest.approx((-0.00035885444, 0.087959499), abs=1e-6)


def test_each_readers_part_in_it_is_delongs():
    first, second, labels = scores(np.random.default_rng(1), gain=0.4)
    found = obuchowski_rockette(first, second, labels)
    alone = [delong_test(*pair, labels) for pair in zip(second, first, strict=True)]
    assert found.difference == pytest.approx(
        np.mean([reader.difference for reader in alone])
    )
    assert (found.readers, found.cases) == (4, 80)


def test_without_a_difference_it_errs_as_often_as_it_says():
    random = np.random.default_rng(2)
    wrong = [obuchowski_rockette(*scores(random)).p_value < 0.05 for _ in range(300)]
    assert np.mean(wrong) < 0.08


def test_readers_who_change_nothing_do_not_differ():
    first, _, labels = scores(np.random.default_rng(3))
    found = obuchowski_rockette(first, first, labels)
    assert (found.difference, found.p_value, found.f) == pytest.approx(
        (0, 1, 0), abs=1e-9
    )


def test_one_reader_or_one_class_is_no_multi_reader_study():
    first, second, labels = scores(np.random.default_rng(4))
    with pytest.raises(ScoresInvalid, match="two or more readers"):
        obuchowski_rockette(first[:1], second[:1], labels)
    with pytest.raises(SingleClass):
        obuchowski_rockette(first, second, np.ones_like(labels))
