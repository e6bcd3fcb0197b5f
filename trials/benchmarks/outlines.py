"""Compares the engine's time for a case without an ROI with that for one with a given outline.

    python -m trials.benchmarks.outlines BUNDLE FOLDER [--images N] [--rounds N]

BUNDLE is the folder of a model with an outline network, such as a study writes. FOLDER has labelled
images with masks. Each image is read by turns with its mask as the ROI and without an ROI: cropped
and outlined, then answered, alone. Decoding is not counted. The ratio is that of the sums over the
images of each one's fastest round.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from shared.bundles import Bundle, load
from shared.imaging import MarkedImage, Roi
from shared.imaging.regions.crop import crop
from shared.study.folder import LabelledFolder

ROUNDS = 3
IMAGES = 40


def main(bundle_folder: Path, folder: Path, images: int, rounds: int) -> None:
    bundle = load(bundle_folder)
    samples = LabelledFolder.open(folder).samples()
    order = np.random.default_rng(0).permutation(len(samples))[:images]
    fastest_s: dict[str, list[float]] = {"given outline": [], "no ROI": []}
    found = 0
    for index in order:
        marked = samples[index].read()
        if marked.roi is None or marked.roi.polygon is None:
            continue
        found += crop(marked.image, None, bundle.framing).is_found
        given_s, automatic_s = _fastest_of_both(bundle, marked, marked.roi, rounds)
        fastest_s["given outline"].append(given_s)
        fastest_s["no ROI"].append(automatic_s)
    for name, seconds in fastest_s.items():
        middle, high = np.quantile(seconds, [0.5, 0.95]) * 1000
        print(f"{name}: {middle:.0f} ms (95 % up to {high:.0f})")
    given, automatic = (sum(seconds) for seconds in fastest_s.values())
    print(f"a nodule was found in {found} of {len(fastest_s['no ROI'])} images")
    print(f"no ROI against a given outline: ratio {automatic / given:.2f}")


def _fastest_of_both(
    bundle: Bundle, marked: MarkedImage, roi: Roi, rounds: int
) -> tuple[float, float]:
    """Return the shortest time in seconds with the outline, and without an ROI."""
    given_s = []
    automatic_s = []
    for _ in range(rounds):
        given_s.append(_seconds(lambda: _answer(bundle, marked, roi)))
        automatic_s.append(_seconds(lambda: _answer(bundle, marked, None)))
    return min(given_s), min(automatic_s)


def _answer(bundle: Bundle, marked: MarkedImage, roi: Roi | None) -> None:
    bundle.predict([crop(marked.image, roi, bundle.framing)])


def _seconds(work: Callable[[], None]) -> float:
    """Return the processor time of this process, which other programs do not lengthen."""
    start = time.process_time()
    work()
    return time.process_time() - start


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=IMAGES)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    arguments = parser.parse_args()
    main(arguments.bundle, arguments.folder, arguments.images, arguments.rounds)
