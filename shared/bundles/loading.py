"""From a folder to a bundle: verify, build, reproduce the golden cases."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import safetensors
import safetensors.numpy
import safetensors.torch
from numpy.typing import NDArray
from torch import Tensor

from shared.bundles import evidence, golden_cases
from shared.bundles.bundle import Bundle
from shared.bundles.errors import BundleMissing, BundleTampered, BundleUnreadable
from shared.bundles.manifest import (
    MANIFEST_FILE,
    ComponentEntry,
    EvidenceEntry,
    FileEntry,
    Manifest,
    SigmoidEntry,
    sha256,
)
from shared.bundles.saving import write_folder
from shared.bundles.trusted import load_classifier
from shared.engines import Engine, open_engine
from shared.learning import Evidence, FittedComponent, FittedModel, TrainingSummary
from shared.learning.classifiers.classifiers import SCORERS, NetworkScorer
from shared.learning.classifiers.fusion import Fuser
from shared.learning.features.extractors import (
    Extractor,
    HandcraftedExtractor,
    NetworkExtractor,
)
from shared.learning.novelty import Novelty
from shared.networks import TapNetwork
from shared.recipes import HandcraftedFeatures, Recipe, read_recipe
from shared.statistics import Sigmoid

T = TypeVar("T")


def load(
    folder: Path, expected_digest: str | None = None, engine: Engine | None = None
) -> Bundle:
    """Load a bundle, warm and proven.

    Parameters
    ----------
    folder : what `save` or `assemble` wrote
    expected_digest : the bundle's name; without one only the files are checked against the manifest
    engine : runs the networks; None for the one that suits this machine

    Raises
    ------
    BundleMissing, BundleUnreadable, BundleFormatUnknown, BundleTampered, UntrustedType, BundleNotReproduced
    """
    text = _manifest_bytes(folder)
    digest = sha256(text)
    if expected_digest not in (None, digest):
        raise BundleTampered(part=MANIFEST_FILE)
    manifest = Manifest.from_bytes(text)
    shelf = _BundleFiles(folder, manifest.files)
    model = _model(manifest, shelf, engine or open_engine())
    golden_cases.reproduce(
        model,
        golden_cases.unpack(shelf.arrays(manifest.golden.file)),
        manifest.golden.scores,
    )
    return Bundle(digest, manifest, model)


def list_files(folder: Path) -> dict[str, FileEntry]:
    """Path inside the bundle -> hash and size of every file, the manifest among them, to store each by its hash."""
    text = _manifest_bytes(folder)
    return {
        **Manifest.from_bytes(text).files,
        MANIFEST_FILE: FileEntry(sha256=sha256(text), size=len(text)),
    }


def assemble_folder(digest: str, fetch: Callable[[str], bytes], folder: Path) -> None:
    """Build a bundle's folder from files stored by their hash; `digest` is the manifest's.

    Raises
    ------
    BundleExists, BundleUnreadable, BundleTampered
    """
    text = fetch(digest)
    if sha256(text) != digest:
        raise BundleTampered(part=MANIFEST_FILE)
    contents = {MANIFEST_FILE: text}
    for path, entry in Manifest.from_bytes(text).files.items():
        contents[path] = _verified(fetch(entry.sha256), entry, path)
    write_folder(folder, contents)


@dataclass(frozen=True)
class _BundleFiles:
    """The files of a bundle; each is verified in the very bytes that are then used."""

    folder: Path
    entries: Mapping[str, FileEntry]

    def content(self, path: str) -> bytes:
        if path not in self.entries:
            raise BundleUnreadable(
                part=MANIFEST_FILE, problem=f"{path} is used and not listed"
            )
        try:
            return _verified(
                (self.folder / path).read_bytes(), self.entries[path], path
            )
        except OSError as problem:
            raise BundleUnreadable(part=path, problem=problem.strerror) from problem

    def arrays(self, path: str) -> dict[str, NDArray[Any]]:
        """Of the types that the file states."""
        return self._parsed(path, safetensors.numpy.load)

    def tensors(self, path: str) -> dict[str, Tensor]:
        return self._parsed(path, safetensors.torch.load)

    def _parsed(self, path: str, parse: Callable[[bytes], T]) -> T:
        try:
            return parse(self.content(path))
        except safetensors.SafetensorError as problem:
            raise BundleUnreadable(part=path, problem=str(problem)) from problem


def _manifest_bytes(folder: Path) -> bytes:
    try:
        return (folder / MANIFEST_FILE).read_bytes()
    except OSError as problem:
        raise BundleMissing(folder=folder) from problem


def _verified(content: bytes, entry: FileEntry, path: str) -> bytes:
    if len(content) != entry.size or sha256(content) != entry.sha256:
        raise BundleTampered(part=path)
    return content


def _model(manifest: Manifest, shelf: _BundleFiles, engine: Engine) -> FittedModel:
    recipe = read_recipe(manifest.recipe)
    extractors = tuple(
        _extractor(recipe, number, manifest, shelf, engine)
        for number in range(len(recipe.features))
    )
    return FittedModel(
        recipe=recipe,
        extractors=extractors,
        components=tuple(_reader(entry, shelf) for entry in manifest.readers),
        fusion=Fuser(
            recipe.fusion.rule,
            manifest.fusion.weights,
            manifest.fusion.bias,
            manifest.prevalence,
        ),
        calibration=_sigmoid(manifest.calibration),
        cutoff=manifest.cutoff,
        novelty=Novelty(
            **shelf.arrays(manifest.novelty.file), residual=manifest.novelty.residual
        ),
        novelty_limit=manifest.novelty.limit,
        training=TrainingSummary(**manifest.training.model_dump()),
        metrics=manifest.metrics,
        evidence=_evidence(manifest.evidence, shelf),
    )


def _extractor(
    recipe: Recipe, number: int, manifest: Manifest, shelf: _BundleFiles, engine: Engine
) -> Extractor:
    features = recipe.features[number]
    if isinstance(features, HandcraftedFeatures):
        return HandcraftedExtractor(features)
    if number not in manifest.networks:
        raise BundleUnreadable(
            part=MANIFEST_FILE, problem=f"feature set {number} has no weights"
        )
    tensors = shelf.tensors(manifest.networks[number])
    network = TapNetwork.from_tensors(features.network, features.taps, tensors)
    return NetworkExtractor(features, network, engine)


def _reader(entry: ComponentEntry, shelf: _BundleFiles) -> FittedComponent:
    scorer = (
        SCORERS[entry.kind](load_classifier(shelf.content(entry.file), entry.file))
        if entry.file
        else NetworkScorer()
    )
    return FittedComponent(
        entry.feature_sets,
        entry.kind,
        entry.settings,
        scorer,
        _sigmoid(entry.calibration),
    )


def _evidence(entry: EvidenceEntry | None, shelf: _BundleFiles) -> Evidence | None:
    return None if entry is None else evidence.unpack(entry, shelf.arrays(entry.file))


def _sigmoid(entry: SigmoidEntry) -> Sigmoid:
    return Sigmoid(entry.slope, entry.intercept)
