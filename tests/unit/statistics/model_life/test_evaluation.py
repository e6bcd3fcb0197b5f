import json

import numpy as np
import pytest

from shared.statistics.model_life.evaluation import (
    MAX_ROC_POINTS,
    calibration_bins_to_json,
    evaluation,
)

SCORES = np.array([0.1, 0.3, 0.6, 0.4, 0.8, 0.9])
MALIGNANT = np.array([False, False, False, True, True, True])


def evaluation_json(scores=SCORES, malignant=MALIGNANT, **changes):
    count = scores.size
    groups = {"sites": ["north"] * count, "sizes": ["10-20"] * count} | changes
    return evaluation(scores, scores >= 0.5, malignant, np.arange(count), **groups)


def test_the_curve_begins_and_ends_in_its_corners_with_a_point_for_each_score():
    roc = evaluation_json()["roc"]
    assert roc["points"] == [
        [0, 0],
        [0, 0.33333],
        [0, 0.66667],
        [0.33333, 0.66667],
        [0.33333, 1],
        [0.66667, 1],
        [1, 1],
    ]
    assert all(low <= high for _, low, high in roc["band"])


def test_the_table_counts_by_the_decisions_and_its_rates_have_wilsons_intervals():
    found = evaluation_json()
    assert found["table"] == {"tp": 2, "fn": 1, "fp": 1, "tn": 2}
    assert found["rates"]["ppv"] == pytest.approx(
        {"value": 2 / 3, "low": 0.2077, "high": 0.9385, "of": 3, "found": 2}, abs=1e-4
    )


def test_parts_are_counted_by_site_and_by_size():
    found = evaluation_json(
        sites=["north", "south"] * 3, sizes=["10-20"] * 4 + ["unknown"] * 2
    )
    assert [
        (row["site"], row["images"], row["malignant"]) for row in found["sites"]
    ] == [
        ("north", 3, 1),
        ("south", 3, 2),
    ]
    assert [(row["band"], row["auc"]) for row in found["sizes"]] == [
        ("10-20", None),
        ("unknown", None),
    ]


def test_a_curve_of_many_images_is_thinned_and_can_be_kept():
    random = np.random.default_rng(0)
    labels = random.random(1000) < 0.4
    found = evaluation_json(random.random(1000) + labels, labels)
    assert len(found["roc"]["points"]) == MAX_ROC_POINTS
    assert len(json.dumps(found, allow_nan=False)) < 20_000


def test_bins_say_how_many_images_they_hold():
    found = calibration_bins_to_json(
        np.array([0.05, 0.06, 0.95]), np.array([False, False, True])
    )
    assert [(row["count"], row["malignant"]) for row in found] == [(2, 0), (1, 1)]
    assert found[1]["interval"]["high"] == 1
    assert calibration_bins_to_json(np.zeros(0), np.zeros(0, bool)) == []
