"""The IBSI digital phantom (Zwanenburg et al., Radiology 295:328, 2020).

It is in chapter 5 of the IBSI reference manual.
"""

import csv
from pathlib import Path

import numpy as np
import pytest

from shared.features import glcm, glrlm
from shared.features.statistics import (
    Distribution,
    histogram_features,
    intensity_statistics,
)

LEVELS = 6
PUBLISHED = Path(__file__).with_name("ibsi_phantom.csv")
REFERENCE = (
    Path(__file__).parents[3].parent
    / "shared"
    / "data"
    / "ibsi"
    / "reference_values.csv"
)

IMAGE = np.array(
    [
        [[1, 4, 4, 1, 1], [1, 4, 6, 1, 1], [4, 1, 6, 4, 1], [4, 4, 6, 4, 1]],
        [[1, 4, 4, 1, 1], [1, 1, 6, 1, 1], [1, 1, 3, 1, 1], [4, 4, 6, 1, 1]],
        [[1, 4, 4, 1, 1], [1, 1, 1, 1, 1], [1, 1, 9, 1, 1], [1, 1, 6, 1, 1]],
        [[1, 4, 4, 1, 1], [1, 1, 1, 1, 1], [1, 1, 1, 1, 1], [1, 1, 6, 1, 1]],
    ],
    np.uint16,
)
MASK = np.ones(IMAGE.shape, bool)
MASK[1, 2, 0] = MASK[2, 2, 2] = False
MASK[2:, 0, 3:] = False


@pytest.fixture(scope="module")
def phantom_features() -> dict[str, float]:
    """All features of the phantom under the names of the reference table.

    Texture features are the mean over the slices.
    """
    masked_values = IMAGE[MASK]
    features = {
        f"stat_{name}": value
        for name, value in intensity_statistics(
            Distribution.from_sample(masked_values)
        ).items()
    }
    features |= {
        f"ih_{name}": value
        for name, value in histogram_features(masked_values, LEVELS).items()
    }
    slices = np.where(MASK, IMAGE, 0).astype(np.uint16)
    for prefix, texture in (
        ("cm", lambda image: glcm.glcm_features(image, LEVELS)),
        ("rlm", glrlm.glrlm_features),
    ):
        by_slice = [texture(image) for image in slices]
        for name in by_slice[0]:
            stem, _, kind = name.rpartition("_")
            features[f"{prefix}_{stem}_2D_{kind}"] = float(
                np.mean([values[name] for values in by_slice])
            )
    return features


def read(path: Path) -> list[dict[str, str]]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return list(csv.DictReader(line for line in lines if not line.startswith("#")))


@pytest.mark.parametrize(
    "path", [PUBLISHED, REFERENCE], ids=["published", "beside the checkout"]
)
def test_every_consensus_value_is_met(phantom_features, path):
    if not path.exists():
        pytest.skip("the IBSI reference table is not beside the checkout")
    rows = read(path)
    assert len(rows) == 123
    deviations = {
        row["feature"]: phantom_features[row["feature"]]
        for row in rows
        if not _meets(phantom_features[row["feature"]], row)
    }
    assert deviations == {}


def test_only_the_standard_deviation_is_measured_without_a_consensus_value(
    phantom_features,
):
    assert set(phantom_features) - {row["feature"] for row in read(PUBLISHED)} == {
        "stat_std",
        "ih_std",
    }


def _meets(value: float, row: dict[str, str]) -> bool:
    """Within tolerance of the reference, which is printed to three digits."""
    return (
        abs(float(f"{value:.3g}") - float(row["value"]))
        <= float(row["tolerance"]) + 1e-12
    )
