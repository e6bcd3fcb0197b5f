"""SERA's handcrafted features against MIRP's, values and time: `python -m trials.benchmarks.mirp
[--write TABLE.csv]`.

MIRP is not in the lock files, since it pulls 1.5 GB: `pip install mirp==2.7.0` in an environment of
its own, with this repository's opencv-python-headless and pywavelets; the group `compare` of
pyproject.toml names it.
"""

import csv
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np

from shared.features import DEFAULT_DISTANCE, DEFAULT_LEVELS, extract

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
"""Ours, and the same of MIRP's."""
PREFIXES = {"glcm": "cm", "glrlm": "rlm"}
MERGED = {"avg": "2d_avg", "comb": "2d_s_mrg"}


def roi() -> tuple[np.ndarray, np.ndarray]:
    """A 256 x 256 image and an elliptical mask, in whole numbers only, so that they are the same
    everywhere.
    """
    y, x = np.mgrid[:256, :256]
    bands = (x * x // 64 + y * y // 96 + x * y // 48) % 256
    grain = (7 * x * x + 13 * y * y + 5 * x * y) % 64
    grey = (3 * bands + 4 * grain) // 4
    return (grey * grey // 255).astype(np.uint8), (24 * (x - 130)) ** 2 + (
        32 * (y - 122)
    ) ** 2 <= 2280**2


def mirp_name(name: str) -> str | None:
    """MIRP's name of a feature of ours; None for the standard deviation, which IBSI leaves out."""
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


def by_mirp(
    pixels: np.ndarray, mask: np.ndarray, families: list[str]
) -> dict[str, float]:
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
    """Median time of one call, warm."""
    measure()
    taken = []
    for _ in range(rounds):
        start = perf_counter()
        measure()
        taken.append(1000 * (perf_counter() - start))
    return median(taken)


def furthest(
    sera_values: dict[str, float], mirp_values: dict[str, float]
) -> tuple[float, str]:
    """The largest relative difference, and of which feature."""
    differences = {}
    for name, value in sera_values.items():
        if counterpart := mirp_name(name):
            reference = float(mirp_values[counterpart])
            differences[name] = (
                abs(value - reference) / abs(reference) if reference else abs(value)
            )
    return max((difference, name) for name, difference in differences.items())


def compare() -> None:
    """Print a row for each family, then one for all of them at once."""
    pixels, mask = roi()
    print(
        f"{'families':24}{'MIRP ms':>10}{'SERA ms':>10}{'ratio':>8}   largest relative difference"
    )
    for ours, theirs in FAMILIES.items():
        mirp_ms = milliseconds(
            lambda theirs=theirs: by_mirp(pixels, mask, theirs), ROUNDS
        )
        sera_ms = milliseconds(
            lambda ours=ours: extract(pixels, mask, ours), WARM_ROUNDS
        )
        found = extract(pixels, mask, ours)
        measured = dict(zip(found.names, found.values.tolist(), strict=True))
        apart, name = furthest(measured, by_mirp(pixels, mask, theirs))
        print(
            f"{'+'.join(ours):24}{mirp_ms:10.1f}{sera_ms:10.2f}{mirp_ms / sera_ms:8.0f}   "
            f"{apart:.1e} ({name})"
        )


def write(path: Path) -> None:
    """Keep MIRP's values, which a test compares with."""
    values = by_mirp(*roi(), FAMILIES["intensity", "glcm", "glrlm"])
    with path.open("w", newline="", encoding="utf-8") as table:
        rows = csv.writer(table, lineterminator="\n")
        rows.writerow(["feature", "value"])
        rows.writerows(
            [name, repr(float(value))]
            for name, value in values.items()
            if name[:3] in ("sta", "ih_", "cm_", "rlm")
        )


def main(arguments: list[str]) -> None:
    try:
        import mirp  # noqa: F401
    except ImportError:
        sys.exit(
            "MIRP is missing. Install it in an environment of its own: pip install mirp==2.7.0"
        )
    logging.disable(logging.CRITICAL)
    write(Path(arguments[1])) if arguments[:1] == ["--write"] else compare()


if __name__ == "__main__":
    main(sys.argv[1:])
