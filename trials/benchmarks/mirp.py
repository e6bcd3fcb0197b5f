"""Compares SERA's handcrafted features with those of MIRP: their values and their time.

    python -m trials.benchmarks.mirp [--write TABLE.csv]

MIRP is not in the lock files, because it pulls 1.5 GB. Run `pip install mirp==2.7.0` in a separate
environment with this repository's opencv-python-headless and pywavelets. The group `compare` of
pyproject.toml names MIRP.
"""

import csv
import logging
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from shared.features import DEFAULT_DISTANCE, DEFAULT_LEVELS, extract

Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_]

ROUNDS = 5
WARM_ROUNDS = 40
FAMILIES = {
    ("intensity",): ["statistics", "intensity_histogram"],
    ("glcm",): ["glcm"],
    ("glrlm",): ["glrlm"],
    ("intensity", "glcm", "glrlm"): [
        "statistics",
        "intensity_histogram",
        "glcm",
        "glrlm",
    ],
}
"""SERA's families, and MIRP's families of the same features."""
PREFIXES = {"glcm": "cm", "glrlm": "rlm"}
MERGED = {"avg": "2d_avg", "comb": "2d_s_mrg"}
FEATURE_PREFIXES = ("sta", "ih_", "cm_", "rlm")
"""MIRP's table also has columns that describe the image; the names of features start so."""


def roi() -> tuple[Pixels, Mask]:
    """A 256 x 256 image and an elliptical mask, both (256, 256).

    The arithmetic has whole numbers only, so that every machine makes the same ones.
    """
    y, x = np.mgrid[:256, :256]
    bands = (x * x // 64 + y * y // 96 + x * y // 48) % 256
    grain = (7 * x * x + 13 * y * y + 5 * x * y) % 64
    grey = (3 * bands + 4 * grain) // 4
    pixels = (grey * grey // 255).astype(np.uint8)
    mask = (24 * (x - 130)) ** 2 + (32 * (y - 122)) ** 2 <= 2280**2
    return pixels, mask


def mirp_name(name: str) -> str | None:
    """MIRP's name of a feature of SERA; None for the standard deviation, which IBSI leaves out."""
    family, _, rest = name.partition("_")
    if rest == "std":
        return None
    if family == "stat":
        return name
    if family == "ih":
        return f"{name}_fbn_n{DEFAULT_LEVELS}"
    stem, _, kind = rest.rpartition("_")
    step = f"_d{DEFAULT_DISTANCE}" if family == "glcm" else ""
    return f"{PREFIXES[family]}_{stem}{step}_{MERGED[kind]}_fbn_n{DEFAULT_LEVELS}"


def mirp_features(pixels: Pixels, mask: Mask, families: list[str]) -> dict[str, float]:
    """MIRP's features: two-dimensional, fixed bin number, each direction averaged and merged."""
    from mirp import extract_features

    (table,) = extract_features(
        image=pixels.astype(float)[np.newaxis],
        mask=mask.astype(np.uint8)[np.newaxis],
        by_slice=True,
        base_discretisation_method="fixed_bin_number",
        base_discretisation_n_bins=DEFAULT_LEVELS,
        base_feature_families=families,
        glcm_spatial_method=["2d_average", "2d_slice_merge"],
        glrlm_spatial_method=["2d_average", "2d_slice_merge"],
        glcm_distance=float(DEFAULT_DISTANCE),
    )
    return {str(name): value for name, value in table.iloc[0].items()}


def milliseconds(measure: Callable[[], object], rounds: int) -> float:
    """Median time of one call, after a first one."""
    measure()
    times_ms = []
    for _ in range(rounds):
        start = perf_counter()
        measure()
        times_ms.append(1000 * (perf_counter() - start))
    return median(times_ms)


def largest_difference(
    sera_values: dict[str, float], mirp_values: dict[str, float]
) -> tuple[float, str]:
    """The largest relative difference, and the name of its feature."""
    differences = {}
    for name, value in sera_values.items():
        counterpart = mirp_name(name)
        if counterpart is None:
            continue
        reference = float(mirp_values[counterpart])
        difference = abs(value - reference)
        differences[name] = difference / abs(reference) if reference else difference
    return max((difference, name) for name, difference in differences.items())


def compare() -> None:
    """Print a row for each family, then one for all of them at once."""
    pixels, mask = roi()
    print(
        f"{'families':24}{'MIRP ms':>10}{'SERA ms':>10}{'ratio':>8}   largest relative difference"
    )
    for sera_families, mirp_families in FAMILIES.items():
        measure_mirp = partial(mirp_features, pixels, mask, mirp_families)
        measure_sera = partial(extract, pixels, mask, sera_families)
        mirp_ms = milliseconds(measure_mirp, ROUNDS)
        sera_ms = milliseconds(measure_sera, WARM_ROUNDS)
        features = measure_sera()
        sera_values = dict(zip(features.names, features.values.tolist(), strict=True))
        difference, name = largest_difference(sera_values, measure_mirp())
        print(
            f"{'+'.join(sera_families):24}{mirp_ms:10.1f}{sera_ms:10.2f}"
            f"{mirp_ms / sera_ms:8.0f}   {difference:.1e} ({name})"
        )


def write(path: Path) -> None:
    """Write MIRP's values, which a test compares with SERA's."""
    pixels, mask = roi()
    values = mirp_features(pixels, mask, FAMILIES["intensity", "glcm", "glrlm"])
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["feature", "value"])
        for name, value in values.items():
            if name.startswith(FEATURE_PREFIXES):
                table.writerow([name, repr(float(value))])


def main(arguments: list[str]) -> None:
    try:
        import mirp  # noqa: F401
    except ImportError:
        sys.exit(
            "MIRP is missing. Install it in an environment of its own: pip install mirp==2.7.0"
        )
    logging.disable(logging.CRITICAL)
    if arguments[:1] == ["--write"]:
        write(Path(arguments[1]))
    else:
        compare()


if __name__ == "__main__":
    main(sys.argv[1:])
