"""Compares the features with MIRP 2.7.0, which follows IBSI, on a region drawn by formula.

`trials/benchmarks/mirp.py --write` writes the values of MIRP.
"""

import csv
from pathlib import Path

import pytest

from shared.features import extract
from trials.benchmarks.mirp import mirp_name, roi

VALUES = Path(__file__).with_name("mirp_256.csv")


@pytest.fixture(scope="module")
def mirp_values() -> dict[str, float]:
    with VALUES.open(encoding="utf-8") as table:
        return {row["feature"]: float(row["value"]) for row in csv.DictReader(table)}


def test_every_feature_equals_that_of_mirp(mirp_values):
    vector = extract(*roi(), ("intensity", "glcm", "glrlm"))
    sera_values = {
        mirp_name(name): value
        for name, value in zip(vector.names, vector.values, strict=True)
    }
    sera_values.pop(None)
    assert set(sera_values) == set(mirp_values)
    assert sera_values == pytest.approx(mirp_values, rel=1e-6)
