"""Milliseconds per region of interest of the handcrafted features: `python -m
trials.benchmarks.features [SIDE_PX]`.
"""

import sys
from statistics import median
from time import perf_counter

import numpy as np

from shared.features import FAMILIES, extract, feature_names
from shared.phantoms import draw

ROUNDS = 40


def milliseconds(
    pixels: np.ndarray, mask: np.ndarray, families: tuple[str, ...]
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
    """Print a table, one row for each family, then all."""
    pixels = draw(0, size_px=side_px).pixels
    mask = np.ones((side_px, side_px), bool)
    print(f"{'families':24}{'features':>9}{'ms':>9}   ({side_px} x {side_px} px)")
    for families in (*((family,) for family in FAMILIES), tuple(FAMILIES)):
        time_ms = milliseconds(pixels, mask, families)
        print(
            f"{'+'.join(families)[:23]:24}{len(feature_names(families)):9}{time_ms:9.2f}"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 256)
