"""A study of two machines: phantoms as one scanner draws them, and as another one would."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from shared.learning import ignore_progress
from shared.networks import WeightsFinder
from shared.phantoms import draw
from shared.recipes import Recipe, RoiKind, read_recipe
from shared.study import folder as folder_module
from shared.study.checkpoints import FolderCache
from shared.study.experiment import run_experiment
from shared.study.folder import LabelledFolder
from shared.study.results import Study
from tests.support.builders import encode

COUNT = 14
RECIPE = {
    "name": "by-formula",
    "version": "1",
    "source": "the tests",
    "features": [{"families": ["shape", "intensity", "glcm"]}],
    "classifiers": [
        {"kind": "svm", "kernel": ["linear"], "C": [0.1, 1]},
        {"kind": "forest", "trees": 10},
    ],
    "validation": {"folds": 3, "inner_folds": 2},
    "fusion": {"rule": "weighted"},
}


def as_other_machine(pixels: np.ndarray) -> np.ndarray:
    """Blur the image and raise its gain."""
    blurred = cv2.GaussianBlur(pixels, (0, 0), 2.0)
    return np.clip(blurred * 1.4 + 20, 0, 255).astype(np.uint8)


def write_machine(folder: Path, first_seed: int, count: int = COUNT) -> Path:
    folder.mkdir()
    lines = ["image,mask,malignant,patient"]
    for seed in range(first_seed, first_seed + count):
        phantom = draw(seed, malignant=bool(seed % 2), size_px=96)
        pixels = as_other_machine(phantom.pixels) if first_seed else phantom.pixels
        (folder / f"{seed}.png").write_bytes(encode(pixels))
        (folder / f"m{seed}.png").write_bytes(encode(phantom.mask * 255))
        lines.append(f"{seed}.png,m{seed}.png,{seed % 2},{seed}")
    (folder / "manifest.csv").write_text("\n".join(lines))
    return folder


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return read_recipe(RECIPE)


@pytest.fixture(scope="module")
def machines(tmp_path_factory) -> LabelledFolder:
    root = tmp_path_factory.mktemp("machines")
    return LabelledFolder.open(
        write_machine(root / "sharp", 0), write_machine(root / "blurred", 100)
    )


@pytest.fixture(scope="module")
def cache_folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("cache")


def run(folder: LabelledFolder, recipe: Recipe, cache_folder: Path) -> Study:
    study, _ = run_experiment(
        folder,
        recipe,
        WeightsFinder(cache_folder, cache_folder, download=False),
        cache=FolderCache(cache_folder),
        progress=ignore_progress,
    )
    return study


@pytest.fixture(scope="module")
def study(machines, recipe, cache_folder) -> Study:
    return run(machines, recipe, cache_folder)


def test_every_image_is_judged_by_a_model_of_the_other_machine(study):
    row = study.sites_out.row
    assert study.sites_out.problems == {}
    assert row.judgement_mask.all()
    assert np.isfinite(row.scores).all()
    assert ((row.risks > 0) & (row.risks < 1)).all()
    assert set(study.sites) == {"sharp", "blurred"}


def test_a_site_gets_the_same_scores_whatever_the_study_knows_of_its_labels(
    study, machines, recipe, tmp_path
):
    images = []
    for image in machines.images:
        is_turned = image.site == "blurred"
        images.append(replace(image, malignant=image.malignant != is_turned))
    turned = run(replace(machines, images=tuple(images)), recipe, tmp_path)
    at_site = study.sites == "blurred"
    np.testing.assert_array_equal(
        study.sites_out.row.scores[at_site], turned.sites_out.row.scores[at_site]
    )
    np.testing.assert_array_equal(
        study.sites_out.row.decisions[at_site], turned.sites_out.row.decisions[at_site]
    )


@pytest.mark.usefixtures("study")
def test_the_same_study_again_reads_no_image_and_computes_nothing(
    machines, recipe, cache_folder, study, monkeypatch
):
    def no_image(*_: object, **__: object) -> None:
        raise AssertionError("an image was read again")

    monkeypatch.setattr(folder_module, "read_marked_image", no_image)
    entries = {path.name for path in cache_folder.rglob("*") if path.is_file()}
    repeated = run(machines, recipe, cache_folder)
    assert {path.name for path in cache_folder.rglob("*") if path.is_file()} == entries
    np.testing.assert_array_equal(
        repeated.sites_out.row.scores, study.sites_out.row.scores
    )


def test_each_image_is_read_once_for_all_folds_of_all_sites(
    machines, recipe, tmp_path, monkeypatch
):
    read_images: list[Path] = []
    read = folder_module.read_marked_image

    def count(image: Path, **options: object) -> object:
        read_images.append(image)
        return read(image, **options)

    monkeypatch.setattr(folder_module, "read_marked_image", count)
    run(machines, recipe, tmp_path)
    # Once as it is marked, and once for each kind of ROI.
    reads = Counter(read_images)
    assert len(reads) == len(machines.images)
    assert set(reads.values()) == {1 + len(RoiKind)}


def test_a_study_of_one_site_leaves_none_out(recipe, tmp_path):
    folder = LabelledFolder.open(write_machine(tmp_path / "only", 0))
    assert run(folder, recipe, tmp_path / "cache").sites_out is None


def test_a_site_whose_others_are_too_few_is_named_with_the_reason(recipe, tmp_path):
    folder = LabelledFolder.open(
        write_machine(tmp_path / "large", 0), write_machine(tmp_path / "small", 100, 6)
    )
    sites_out = run(folder, recipe, tmp_path / "cache").sites_out
    assert list(sites_out.problems) == ["large"]
    assert "at least 6 of each" in sites_out.problems["large"]
    assert sites_out.row.judgement_mask.sum() == 6
