"""Measures the gate before the model: what is refused of good pictures, and of foreign ones by kind.

    python -m trials.benchmarks.belonging FOLDER [--foreign FOLDER ...] [--recipe NAME]

FOLDER has a manifest.csv with the columns image,[patient]; each row needs no label. Weights come
from SERA_WEIGHTS_DIR. Cross-validated by patient: a good picture, and each altered copy of one, is
judged by a gate whose training and limit come from the patients of the other folds. Drawn pictures,
those of installed packages and those of --foreign are judged by the gate of every fold. The AUROC
compares distances of foreign pictures with those of the good ones.
"""

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import GroupKFold

from shared.domain.datasets.manifest import read_table
from shared.engines import open_engine
from shared.imaging import UltrasoundImage, decode
from shared.imaging.image import Nodule
from shared.imaging.regions.crop import whole_frame
from shared.learning import build_extractor
from shared.learning.belonging import Belonging
from shared.learning.features.extractors import NetworkExtractor
from shared.learning.features.frames import FrameExtractor, frame_feature_set
from shared.learning.validation.folds import Fold
from shared.networks import WeightsFinder
from shared.recipes import load_recipe
from shared.settings import Settings
from shared.statistics import roc_auc
from trials.benchmarks import foreign_images

FOLDS = 5
OF_EACH_KIND = 40
BATCH_IMAGES = 16

Features = NDArray[np.float32]


@dataclass
class Kind:
    """Foreign pictures of one kind: (N, D + 1), and of each the good picture that it is made of."""

    features: Features
    made_of: NDArray[np.int_] | None = None
    distances: list[NDArray[np.float64]] = field(default_factory=list)

    def judge(self, belonging: Belonging, test: NDArray[np.int_]) -> None:
        """Judge the pictures that a gate may judge: copies of its test pictures, or all."""
        rows = np.ones(len(self.features), bool)
        if self.made_of is not None:
            rows = np.isin(self.made_of, test)
        self.distances.append(belonging.distances(self.features[rows]))


def main(folder: Path, foreign: Sequence[Path], recipe_name: str) -> None:
    """Print a line for the good pictures, one for each kind, and one for all kinds."""
    random = np.random.default_rng(0)
    extractor = make_extractor(recipe_name)
    paths, patients = listed(folder)
    images = [decode(path.read_bytes()) for path in paths]
    good = describe(extractor, images)
    kinds = {
        name: Kind(describe(extractor, [make(random) for _ in range(OF_EACH_KIND)]))
        for name, make in foreign_images.DRAWN.items()
    }
    for name, alter in foreign_images.ALTERED.items():
        chosen = random.permutation(len(images))[:OF_EACH_KIND]
        altered = [alter(images[index], random) for index in chosen]
        kinds[name] = Kind(describe(extractor, altered), made_of=chosen)
    kinds["pydicom"] = Kind(describe(extractor, foreign_images.pydicom_examples()))
    pictures = foreign_images.sample_pictures(random)
    kinds["sample pictures"] = Kind(describe(extractor, pictures))
    made = list(kinds)
    for path in foreign:
        others = [decode(name.read_bytes()) for name in listed(path)[0]]
        kinds[path.name] = Kind(describe(extractor, others))
    own = np.zeros(len(good))
    for training, test in folds_by_patient(patients):
        belonging = Belonging.fit(good[training], inner_folds(patients[training]))
        own[test] = belonging.distances(good[test])
        for kind in kinds.values():
            kind.judge(belonging, test)
    print_lines(own, kinds, made)


def print_lines(
    own: NDArray[np.float64], kinds: dict[str, Kind], made: Iterable[str]
) -> None:
    print(f"{'good pictures':18}{own.size:6} refused {(own > 1).mean():6.1%}")
    distances = {name: np.concatenate(kind.distances) for name, kind in kinds.items()}
    for name, values in distances.items():
        count = len(kinds[name].features)
        print(
            f"{name:18}{count:6} refused {(values > 1).mean():6.1%}"
            f"   AUROC {auroc(own, values):.3f}"
        )
    # Each picture counts once: the distances of those that every gate judged are averaged.
    pooled = np.concatenate([_once(kinds[name]) for name in made])
    print(
        f"{'all that are made':18}{pooled.size:6}{'':16}   AUROC {auroc(own, pooled):.3f}"
    )


def auroc(own: NDArray[np.float64], foreign: NDArray[np.float64]) -> float:
    scores = np.concatenate([own, foreign])
    return roc_auc(scores, np.arange(scores.size) >= own.size)


def _once(kind: Kind) -> NDArray[np.float64]:
    if kind.made_of is not None:
        return np.concatenate(kind.distances)
    distances: NDArray[np.float64] = np.mean(kind.distances, axis=0)
    return distances


def make_extractor(recipe_name: str) -> FrameExtractor:
    recipe = load_recipe(recipe_name)
    index = frame_feature_set(recipe)
    assert index is not None
    settings = Settings()
    weights = WeightsFinder(settings.weights_dir, settings.home / "weights")
    extractor = build_extractor(
        recipe.features[index], recipe, weights, seed=0, engine=open_engine()
    )
    assert isinstance(extractor, NetworkExtractor)
    return FrameExtractor(extractor)


def listed(folder: Path) -> tuple[list[Path], NDArray[np.str_]]:
    """The images of a folder, and their patients; an image without a patient is one of its own."""
    rows = read_table(folder / "manifest.csv", required_columns=("image",)).rows
    patients = [row.fields.get("patient") or f"image {row.name}" for row in rows]
    return [row.image for row in rows], np.array(patients)


def describe(extractor: FrameExtractor, images: Sequence[UltrasoundImage]) -> Features:
    """The features (N, D + 1) of whole pictures."""
    tables = []
    for start in range(0, len(images), BATCH_IMAGES):
        batch = images[start : start + BATCH_IMAGES]
        tables.append(extractor.compute([extractor.prepare(_whole(i)) for i in batch]))
    return np.concatenate(tables)


def _whole(image: UltrasoundImage) -> Nodule:
    frame = whole_frame(image)
    return Nodule(frame, np.ones(frame.shape, bool), findings=image.findings)


def folds_by_patient(
    patients: NDArray[np.str_],
) -> list[tuple[NDArray[np.int_], NDArray[np.int_]]]:
    splitter = GroupKFold(FOLDS, shuffle=True, random_state=0)
    return list(splitter.split(patients, groups=patients))


def inner_folds(patients: NDArray[np.str_]) -> list[Fold]:
    return [
        Fold(training=training, test=test)
        for training, test in folds_by_patient(patients)
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--foreign", type=Path, nargs="*", default=[])
    parser.add_argument("--recipe", default="light")
    given = parser.parse_args()
    main(given.folder, given.foreign, given.recipe)
