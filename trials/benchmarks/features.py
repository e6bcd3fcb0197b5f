"""Measures the milliseconds that the handcrafted features take for a region of interest.

python -m trials.benchmarks.features [SIDE_PX]
"""

import sys
from statistics import median
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from shared.features import FAMILIES, extract, feature_names
from shared.phantoms import draw

ROUNDS = 40


def milliseconds(
    pixels: NDArray[np.uint8], mask: NDArray[np.bool_], families: tuple[str, ...]
) -> float:
    """Median time of one extraction, warm."""
    extract(pixels, mask, families)
    times_ms = []
    for _ in range(ROUNDS):
        start = perf_counter()
        extract(pixels, mask, families)
        times_ms.append(1000 * (perf_counter() - start))
    return median(times_ms)


def main(side_px: int) -> None:
    """Print a table with a row for each family and one for all of them together."""
    pixels = draw(0, size_px=side_px).pixels
    mask = np.ones((side_px, side_px), bool)
    print(f"{'families':24}{'features':>9}{'ms':>9}   ({side_px} x {side_px} px)")
    single_families = [(family,) for family in FAMILIES]
    for families in (*single_families, tuple(FAMILIES)):
        time_ms = milliseconds(pixels, mask, families)
        label = "+".join(families)[:23]
        print(f"{label:24}{len(feature_names(families)):9}{time_ms:9.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 256)
