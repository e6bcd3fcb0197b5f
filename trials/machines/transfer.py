"""Measures what a model is worth on another machine, and what helps there.

    python -m trials.machines.transfer DDTI DDTI_RAW BUSI --weights DIR --cache DIR

Each screen layout of DDTI_RAW (`trials.machines.layouts`) is judged by a model of the others
without their patients. BUSI is judged by a model of DDTI's crops, and by one of DDTI_RAW's frames,
whose layouts are sites. The models are those of `light` with the manifest's boxes as ROI, and plain
averages of its networks with one SVM. Settings are chosen on DDTI alone, and the gate that refuses
foreign pictures is off.
"""

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from shared.learning import Adaptation, baseline_recipe, build_extractor
from shared.learning.features.extractors import Array
from shared.learning.features.fold_features import FixedFeatures, FoldFeatures
from shared.learning.features.table import gather_features
from shared.learning.progress import ignore_progress
from shared.learning.recipe_nodules import recipe_framing
from shared.learning.samples.nodules import FramedNodules
from shared.learning.site_adaptation import AdaptedFeatures, standardise_sites
from shared.learning.validation.cross_validation import (
    CrossValidation,
    score_out_of_fold,
)
from shared.learning.validation.left_out_sites import (
    judge_left_out_site,
    leave_site_out,
)
from shared.networks import WeightsFinder
from shared.recipes import Recipe, RoiKind, load_recipe
from shared.statistics import roc_auc
from shared.study.checkpoints import FolderCache
from shared.study.folder import LabelledFolder
from trials.machines.layouts import read_layouts

RECIPE = "light"
ADAPTATIONS = (None, Adaptation.WHOLE_SITE, Adaptation.OTHER_HALF)
FOREIGN_SITE = "busi"


@dataclass(frozen=True, eq=False)
class Images:
    """The images of one or two data sets, with the features of one recipe.

    Attributes
    ----------
    tables : (N, D) of each feature set
    groups : (N,) patients
    sites : (N,) screen layouts, or `FOREIGN_SITE`
    """

    recipe: Recipe
    digests: Sequence[str]
    tables: Sequence[Array]
    malignant: NDArray[np.bool_]
    groups: NDArray[np.str_]
    sites: NDArray[np.str_]

    def with_foreign(self, foreign: "Images") -> "Images":
        """Return these images and those of another data set."""
        return replace(
            self,
            tables=[
                np.concatenate(pair)
                for pair in zip(self.tables, foreign.tables, strict=True)
            ],
            malignant=np.concatenate([self.malignant, foreign.malignant]),
            groups=np.concatenate([self.groups, foreign.groups]),
            sites=np.concatenate([self.sites, foreign.sites]),
        )


@dataclass(frozen=True)
class Treatment:
    """How a model is made fit for other machines.

    `settings_by_site` chooses the classifiers' settings by leaving out sites, otherwise by patient.
    """

    settings_by_site: bool
    adaptation: Adaptation | None
    seed: int

    @property
    def name(self) -> str:
        choice = "by site" if self.settings_by_site else "by patient"
        return f"settings {choice}, adapted: {self.adaptation or 'no'}"


def judge_site(
    images: Images, site: str, treatment: Treatment, cache: FolderCache
) -> NDArray[np.float64]:
    """Return the scores of a site's images, in their order, from a model of the other sites."""
    facts = (
        images.malignant.tolist(),
        images.sites.tolist(),
        images.groups.tolist(),
        treatment.settings_by_site,
    )
    everything = CrossValidation(
        malignant=images.malignant,
        groups=images.groups,
        folds=[],
        inner_folds=images.recipe.validation.inner_folds,
        seed=treatment.seed,
        fingerprint=str(facts),
        sites=images.sites if treatment.settings_by_site else None,
    )
    validation = leave_site_out(
        everything,
        sites=images.sites,
        site=site,
        count=images.recipe.validation.folds,
    )
    scores = score_out_of_fold(
        images.recipe.select_components(images.recipe.fusion.members),
        features=_features(images, site, treatment),
        cross_validation=validation,
        cache=cache,
        progress=ignore_progress,
    )
    judged = judge_left_out_site(site, images.recipe.fusion.rule, scores, validation)
    return judged.scores


def _features(
    images: Images, site: str, treatment: Treatment
) -> Sequence[FoldFeatures]:
    fixed = [
        FixedFeatures(digest, table)
        for digest, table in zip(images.digests, images.tables, strict=True)
    ]
    if treatment.adaptation is None:
        return fixed
    standardisation = standardise_sites(
        images.sites,
        site,
        groups=images.groups,
        adaptation=treatment.adaptation,
        seed=treatment.seed,
        min_images=1,
    )
    return [AdaptedFeatures(features, standardisation) for features in fixed]


def layout_areas(
    frames: Images, treatment: Treatment, cache: FolderCache
) -> tuple[float, float]:
    """Return the AUC over all left-out layouts: pooled, and of pairs of the same layout."""
    scores = np.zeros(len(frames.malignant))
    total = 0
    weighted_sum = 0.0
    for site in np.unique(frames.sites):
        rows = np.flatnonzero(frames.sites == site)
        scores[rows] = judge_site(frames, str(site), treatment, cache)
        malignant = frames.malignant[rows]
        pairs = int(malignant.sum()) * int((~malignant).sum())
        total += pairs
        weighted_sum += pairs * roc_auc(scores[rows], malignant)
    return roc_auc(scores, frames.malignant), weighted_sum / total


def foreign_area(
    home: Images, foreign: Images, treatment: Treatment, cache: FolderCache
) -> float:
    """Return the AUC on the foreign data set of a model of the home images."""
    scores = judge_site(home.with_foreign(foreign), FOREIGN_SITE, treatment, cache)
    return roc_auc(scores, foreign.malignant)


def read_images(
    folder: Path, recipe: Recipe, weights: WeightsFinder, cache: FolderCache
) -> tuple[Images, list[str]]:
    """Return a folder's images with the features of a recipe, and the images' names."""
    labelled = LabelledFolder.open(folder)
    extractors = [build_extractor(part, recipe, weights, 0) for part in recipe.features]
    nodules = FramedNodules(recipe_framing(recipe), RoiKind.BOX)
    with tempfile.TemporaryDirectory() as tables:
        table = gather_features(
            labelled.samples(),
            extractors=extractors,
            cache=cache,
            nodules=nodules,
            progress=ignore_progress,
            folder=Path(tables),
        )
        features = [np.array(values) for values in table.features]
    images = Images(
        recipe=recipe,
        digests=table.digests,
        tables=features,
        malignant=table.malignant,
        groups=table.groups,
        sites=np.full(len(table.samples), FOREIGN_SITE),
    )
    return images, [labelled.names_by_key[sample.key] for sample in table.samples]


def layouts_by_patient(frames: Path) -> dict[str, str]:
    """Return each patient's most frequent screen layout, by the group of its samples."""
    counts: dict[str, Counter[str]] = {}
    layouts = layouts_by_image(frames)
    for image in LabelledFolder.open(frames).images:
        group = image.sample(image.patient).group
        counts.setdefault(group, Counter())[layouts[image.row.name]] += 1
    return {group: count.most_common(1)[0][0] for group, count in counts.items()}


def layouts_by_image(frames: Path) -> dict[str, str]:
    return {frame.image: frame.layout for frame in read_layouts(frames)}


def measure(
    model: Recipe,
    folders: Sequence[Path],
    weights: WeightsFinder,
    cache: FolderCache,
    seed: int,
) -> Iterator[tuple[Treatment, tuple[float, ...]]]:
    """Yield each treatment with its AUCs: layouts pooled and within, crops and frames to BUSI."""
    crops_folder, frames_folder, foreign_folder = folders
    foreign, _ = read_images(foreign_folder, model, weights, cache)
    frames, names = read_images(frames_folder, model, weights, cache)
    layouts = layouts_by_image(frames_folder)
    frames = replace(frames, sites=np.array([layouts[name] for name in names]))
    crops, _ = read_images(crops_folder, model, weights, cache)
    layouts = layouts_by_patient(frames_folder)
    crop_sites = [layouts.get(group, "") for group in crops.groups]
    crops = replace(crops, sites=np.array(crop_sites))
    for settings_by_site, adaptation in product((False, True), ADAPTATIONS):
        treatment = Treatment(settings_by_site, adaptation, seed)
        areas = [*layout_areas(frames, treatment, cache)]
        for home in (crops, frames):
            areas.append(foreign_area(home, foreign, treatment, cache))
        yield treatment, tuple(areas)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m trials.machines.transfer")
    parser.add_argument("folders", nargs=3, type=Path, metavar="FOLDER")
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    weights = WeightsFinder(arguments.weights, arguments.cache / "weights")
    cache = FolderCache(arguments.cache)
    cache.check_writable()
    recipe = replace(load_recipe(RECIPE), outline=None)
    plain = baseline_recipe(recipe)
    assert plain is not None
    for model in (plain, recipe):
        for treatment, areas in measure(
            model, arguments.folders, weights, cache, arguments.seed
        ):
            figures = " ".join(f"{area:.3f}" for area in areas)
            sys.stdout.write(f"{model.name:15} {treatment.name:45} {figures}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
