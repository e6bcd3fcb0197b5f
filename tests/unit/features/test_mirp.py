"""MIRP 2.7.0, which follows IBSI, on a region drawn by formula; `trials/benchmarks/mirp.py --write` keeps its values."""

import csv
from pathlib import Path

import pytest

from shared.features import extract
from trials.benchmarks.mirp import mirp_name, roi

VALUES = Path(__file__).with_name("mirp_256.csv")


@pytest.fixture(scope="module")
def by_mirp() -> dict[str, float]:
    with VALUES.open(encoding="utf-8") as table:
        return {row["feature"]: float(row["value"]) for row in csv.DictReader(table)}


def test_every_feature_is_mirps(by_mirp):
    found = extract(*roi(), ("intensity", "glcm", "glrlm"))
    ours = {
        mirp_name(name): value
        for name, value in zip(found.names, found.values, strict=True)
    }
    ours.pop(None)
    assert set(ours) == set(by_mirp)
    assert ours == pytest.approx(by_mirp, rel=1e-6)
