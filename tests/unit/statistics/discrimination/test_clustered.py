import numpy as np
import pytest

from shared.statistics import ScoresInvalid, delong_interval, delong_test
from shared.statistics.discrimination.clustered import clustered_areas


def readers(random, images, separation=1.0):
    labels = np.arange(images) % 2 == 0
    shared = random.normal(size=images) + separation * labels
    return np.stack([shared + random.normal(0, 0.5, images) for _ in range(2)]), labels


def test_where_every_image_is_a_patient_it_is_delongs():
    scores, labels = readers(np.random.default_rng(1), 60)
    areas = clustered_areas(scores, labels, np.arange(60))
    found = areas.compare_readers()
    expected = delong_test(*scores, labels)
    assert vars(found) == pytest.approx(vars(expected))
    interval = delong_interval(scores[0], labels)
    assert vars(areas.interval(0)) == pytest.approx(vars(interval))


def test_images_shown_twice_tell_no_more_than_once():
    """DeLong's error would shrink by the root of two.

    The clustered error changes by Bessel's correction only.
    """
    scores, labels = readers(np.random.default_rng(2), 80)
    single_test = clustered_areas(scores, labels, np.arange(80)).compare_readers()
    twice = clustered_areas(
        np.tile(scores, 2), np.tile(labels, 2), np.tile(np.arange(80), 2)
    ).compare_readers()
    assert twice.difference == pytest.approx(single_test.difference)
    assert twice.standard_error == pytest.approx(single_test.standard_error)
    assert (
        delong_test(*np.tile(scores, 2), np.tile(labels, 2)).standard_error
        < 0.75 * single_test.standard_error
    )


def test_its_interval_covers_the_truth_where_patients_bring_several_images():
    """Five images a patient of either class, alike; the true AUC is that of 20,000 patients."""
    random = np.random.default_rng(3)

    def sample(patients):
        labels = np.repeat(np.arange(patients) % 2 == 0, 5)
        patient_effects = np.repeat(random.normal(size=patients), 5)
        return (
            patient_effects + 0.5 * random.normal(size=labels.size) + labels,
            labels,
            np.repeat(np.arange(patients), 5),
        )

    scores, labels, _ = sample(20_000)
    truth = clustered_areas(scores, labels, np.arange(labels.size)).values[0]
    covered = []
    naive = []
    for _ in range(200):
        scores, labels, patients = sample(60)
        for coverages, clusters in (
            (covered, patients),
            (naive, np.arange(labels.size)),
        ):
            interval = clustered_areas(scores, labels, clusters).interval(0)
            coverages.append(interval.low < truth < interval.high)
    assert np.mean(covered) > 0.9
    assert np.mean(naive) < 0.75


def test_patients_with_images_of_both_classes_are_counted_on_both_sides():
    scores, labels = readers(np.random.default_rng(4), 40)
    mixed = clustered_areas(scores, labels, np.arange(40) // 2)
    assert np.isfinite(mixed.covariance).all()
    assert np.allclose(mixed.covariance, mixed.covariance.T)


def test_as_many_names_as_images_are_needed():
    scores, labels = readers(np.random.default_rng(5), 10)
    with pytest.raises(ScoresInvalid, match="9 clusters' names for 10 images"):
        clustered_areas(scores, labels, np.arange(9))


def test_a_class_of_one_patient_tells_nothing_of_how_patients_differ():
    scores, labels = readers(np.random.default_rng(6), 10)
    with pytest.raises(ScoresInvalid, match="of one patient"):
        clustered_areas(scores, labels, np.where(labels, 0, np.arange(10)))
