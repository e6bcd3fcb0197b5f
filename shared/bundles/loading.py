"""Loads a bundle from a folder: verifies, builds the model, and reproduces the golden cases."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from errno import ENOENT
from os import strerror
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import safetensors
import safetensors.numpy
import safetensors.torch
from numpy.typing import NDArray
from torch import OutOfMemoryError, Tensor

from shared.bundles import belonging, evidence, golden_cases, golden_outlines
from shared.bundles.bundle import Bundle
from shared.bundles.errors import (
    BundleMissing,
    BundleNotReproduced,
    BundleTampered,
    BundleUnreadable,
    OutlinesNotReproduced,
    UntrustedType,
)
from shared.bundles.manifest import (
    MANIFEST_FILE,
    ComponentEntry,
    EvidenceEntry,
    FileEntry,
    Manifest,
    NoveltyEntry,
    OutlineEntry,
    SigmoidEntry,
    sha256,
)
from shared.bundles.saving import write_folder
from shared.bundles.trusted import load_classifier
from shared.engines import Engine, open_engine
from shared.errors import SeraError
from shared.learning import Evidence, FittedComponent, FittedModel, TrainingSummary
from shared.learning.belonging import Belonging
from shared.learning.classifiers.classifiers import SCORERS, NetworkScorer, Scorer
from shared.learning.classifiers.fusion import Fuser
from shared.learning.features.extractors import (
    Extractor,
    HandcraftedExtractor,
    NetworkExtractor,
)
from shared.learning.features.frames import FrameExtractor, frame_extractor
from shared.learning.novelty import Novelty
from shared.networks import TapNetwork
from shared.networks.errors import WeightsUnreadable
from shared.outlines import NetworkOutliner, OutlineNetwork
from shared.recipes import HandcraftedFeatures, Recipe, read_recipe
from shared.recipes.errors import RecipeInvalid
from shared.statistics import Sigmoid

T = TypeVar("T")
BUNDLE_ERRORS: tuple[type[SeraError], ...] = (
    BundleMissing,
    BundleNotReproduced,
    BundleTampered,
    BundleUnreadable,
    OutlinesNotReproduced,
    RecipeInvalid,
    UntrustedType,
    WeightsUnreadable,
)
"""The errors of a malformed bundle, of which it raises one."""
BUILDING_ERRORS = (
    SeraError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What NumPy, PyTorch and scikit-learn raise if arrays do not fit each other, and
our own errors of golden cases."""


def load(
    folder: Path, expected_digest: str | None = None, engine: Engine | None = None
) -> Bundle:
    """Load a bundle of our own from a folder, verify it, and warm it up.

    Parameters
    ----------
    folder : written by `save` or `assemble_folder`
    expected_digest : the bundle's name; if it is None, only the files are checked against the
        manifest
    engine : runs the networks; by default the best one for this machine

    Raises
    ------
    BundleMissing and the errors of `load_contents`
    """
    _read_manifest(folder)
    return _load(lambda path: (folder / path).read_bytes(), expected_digest, engine)


def load_contents(
    contents: Mapping[str, bytes],
    expected_digest: str | None = None,
    engine: Engine | None = None,
) -> Bundle:
    """Load a bundle like `load`, from the contents of its files by path.

    Raises
    ------
    BUNDLE_ERRORS
    """

    def read(path: str) -> bytes:
        if path not in contents:
            raise FileNotFoundError(ENOENT, strerror(ENOENT))
        return contents[path]

    return _load(read, expected_digest, engine)


def _load(
    read: Callable[[str], bytes], expected_digest: str | None, engine: Engine | None
) -> Bundle:
    content = read(MANIFEST_FILE)
    digest = sha256(content)
    if expected_digest not in (None, digest):
        raise BundleTampered(part=MANIFEST_FILE)
    manifest = Manifest.from_bytes(content)
    files = _BundleFiles(read=read, entries=manifest.files)
    try:
        model = _model(manifest, files, engine or open_engine())
        nodules = golden_cases.unpack(files.arrays(manifest.golden.file))
        predictions = golden_cases.reproduce(model, nodules, manifest.golden.scores)
        if model.belonging is not None:
            belonging.reproduce(predictions, files.arrays(belonging.BELONGING_FILE))
        if model.outliner is not None and manifest.outline is not None:
            golden = files.arrays(manifest.outline.golden)
            golden_outlines.reproduce(model.outliner, golden)
    except BUNDLE_ERRORS:
        raise
    except (MemoryError, OutOfMemoryError):
        raise
    except BUILDING_ERRORS as error:
        problem = f"{type(error).__name__}: {error}"
        raise BundleUnreadable(part="content", problem=problem) from error
    return Bundle(digest=digest, manifest=manifest, model=model)


def read_folder(folder: Path) -> dict[str, bytes]:
    """Return the verified contents of a bundle's files by path; the manifest is included.

    Raises
    ------
    BundleMissing, BundleUnreadable, BundleFormatUnknown, BundleTampered
    """
    content = _read_manifest(folder)
    entries = Manifest.from_bytes(content).files
    files = _BundleFiles(lambda path: (folder / path).read_bytes(), entries)
    contents = {path: files.content(path) for path in entries}
    return contents | {MANIFEST_FILE: content}


def list_files(folder: Path) -> dict[str, FileEntry]:
    """Hash and size of every file, by its path inside the bundle; the manifest is included."""
    content = _read_manifest(folder)
    entries = dict(Manifest.from_bytes(content).files)
    entries[MANIFEST_FILE] = FileEntry(sha256=sha256(content), size=len(content))
    return entries


def fetch_contents(digest: str, fetch: Callable[[str], bytes]) -> dict[str, bytes]:
    """Return the verified contents of a bundle whose files are stored by their hash.

    Parameters
    ----------
    digest : SHA-256 of the manifest
    fetch : the content with a given SHA-256

    Raises
    ------
    BundleUnreadable, BundleFormatUnknown, BundleTampered
    """
    content = fetch(digest)
    if sha256(content) != digest:
        raise BundleTampered(part=MANIFEST_FILE)
    contents = {MANIFEST_FILE: content}
    for path, entry in Manifest.from_bytes(content).files.items():
        contents[path] = _verified_content(fetch(entry.sha256), entry, path)
    return contents


def assemble_folder(digest: str, fetch: Callable[[str], bytes], folder: Path) -> None:
    """Write a bundle's folder, which must not exist, from files that are stored by their hash.

    Raises BundleExists and the errors of `fetch_contents`.
    """
    write_folder(folder, fetch_contents(digest, fetch))


@dataclass(frozen=True)
class _BundleFiles:
    """The files of a bundle. The bytes that are verified are the bytes that are used."""

    read: Callable[[str], bytes]
    entries: Mapping[str, FileEntry]

    def content(self, path: str) -> bytes:
        if path not in self.entries:
            raise BundleUnreadable(
                part=MANIFEST_FILE, problem=f"{path} is used and not listed"
            )
        try:
            content = self.read(path)
        except OSError as error:
            raise BundleUnreadable(part=path, problem=error.strerror) from error
        return _verified_content(content, self.entries[path], path)

    def arrays(self, path: str) -> dict[str, NDArray[Any]]:
        """Return the arrays of a safetensors file, with the types that the file states.

        All their numbers are finite.
        """
        arrays = self._parse(path, safetensors.numpy.load)
        for name, array in arrays.items():
            if not np.isfinite(array).all():
                raise BundleUnreadable(part=path, problem=f"{name} is not finite")
        return arrays

    def tensors(self, path: str) -> dict[str, Tensor]:
        return self._parse(path, safetensors.torch.load)

    def _parse(self, path: str, parse: Callable[[bytes], T]) -> T:
        try:
            return parse(self.content(path))
        except safetensors.SafetensorError as error:
            raise BundleUnreadable(part=path, problem=str(error)) from error


def _read_manifest(folder: Path) -> bytes:
    try:
        return (folder / MANIFEST_FILE).read_bytes()
    except OSError as error:
        raise BundleMissing(folder=folder) from error


def _verified_content(content: bytes, entry: FileEntry, path: str) -> bytes:
    """Return the same content. Raises `BundleTampered` if size or hash differ from the entry."""
    if len(content) != entry.size or sha256(content) != entry.sha256:
        raise BundleTampered(part=path)
    return content


def _model(manifest: Manifest, files: _BundleFiles, engine: Engine) -> FittedModel:
    recipe = read_recipe(manifest.recipe)
    extractors: list[Extractor] = []
    for index in range(len(recipe.features)):
        extractors.append(_extractor(recipe, index, manifest, files, engine))
    frames = _frames(recipe, extractors, files)
    return FittedModel(
        recipe=recipe,
        extractors=tuple(extractors),
        components=tuple(_component(entry, files) for entry in manifest.readers),
        fusion=Fuser(
            rule=recipe.fusion.rule,
            weights=manifest.fusion.weights,
            bias=manifest.fusion.bias,
            prevalence=manifest.prevalence,
        ),
        calibration=_sigmoid(manifest.calibration),
        cutoff=manifest.cutoff,
        novelty=_novelty(manifest.novelty, files),
        novelty_limit=manifest.novelty.limit,
        training=TrainingSummary(**manifest.training.model_dump()),
        metrics=manifest.metrics,
        evidence=_evidence(manifest.evidence, files),
        outliner=_outliner(recipe, manifest.outline, files),
        frames=frames,
        belonging=_belonging(frames, files),
    )


def _outliner(
    recipe: Recipe, entry: OutlineEntry | None, files: _BundleFiles
) -> NetworkOutliner | None:
    """Return the outliner. The recipe and the manifest agree on whether there is one."""
    plan = recipe.outline
    if (plan is None) != (entry is None):
        raise BundleUnreadable(
            part=MANIFEST_FILE,
            problem="the recipe's outline network is not in the bundle",
        )
    if plan is None or entry is None:
        return None
    network = OutlineNetwork.from_tensors(plan, files.tensors(entry.file))
    return NetworkOutliner(network)


def _extractor(
    recipe: Recipe,
    index: int,
    manifest: Manifest,
    files: _BundleFiles,
    engine: Engine,
) -> Extractor:
    """Return the extractor of the recipe's feature set of this index."""
    features = recipe.features[index]
    if isinstance(features, HandcraftedFeatures):
        return HandcraftedExtractor(features)
    if index not in manifest.networks:
        raise BundleUnreadable(
            part=MANIFEST_FILE, problem=f"feature set {index} has no weights"
        )
    tensors = files.tensors(manifest.networks[index])
    network = TapNetwork.from_tensors(features.network, features.taps, tensors)
    return NetworkExtractor(features, network, engine)


def _component(entry: ComponentEntry, files: _BundleFiles) -> FittedComponent:
    return FittedComponent(
        feature_sets=entry.feature_sets,
        kind=entry.kind,
        settings=entry.settings,
        scorer=_scorer(entry, files),
        calibration=_sigmoid(entry.calibration),
    )


def _scorer(entry: ComponentEntry, files: _BundleFiles) -> Scorer:
    if not entry.file:
        return NetworkScorer()
    model = load_classifier(files.content(entry.file), entry.file)
    return SCORERS[entry.kind](model)


def _novelty(entry: NoveltyEntry, files: _BundleFiles) -> Novelty:
    novelty = Novelty(**files.arrays(entry.file), residual=entry.residual)
    count, width = novelty.components.shape
    shapes = {"mean": (width,), "spread": (width,), "variances": (count,)}
    for name, shape in shapes.items():
        if getattr(novelty, name).shape != shape:
            raise BundleUnreadable(part=entry.file, problem=f"malformed {name}")
    if not ((novelty.spread > 0).all() and (novelty.variances > 0).all()):
        raise BundleUnreadable(part=entry.file, problem="a spread that is not positive")
    return novelty


def _frames(
    recipe: Recipe, extractors: Sequence[Extractor], files: _BundleFiles
) -> FrameExtractor | None:
    """Return the extractor of whole pictures; None from a bundle that judges none."""
    if belonging.BELONGING_FILE not in files.entries:
        return None
    return frame_extractor(recipe, extractors)


def _belonging(frames: FrameExtractor | None, files: _BundleFiles) -> Belonging | None:
    if frames is None:
        return None
    arrays = files.arrays(belonging.BELONGING_FILE)
    return belonging.unpack(arrays, width=frames.width - 1)


def _evidence(entry: EvidenceEntry | None, files: _BundleFiles) -> Evidence | None:
    if entry is None:
        return None
    return evidence.unpack(entry, files.arrays(entry.file))


def _sigmoid(entry: SigmoidEntry) -> Sigmoid:
    return Sigmoid(slope=entry.slope, intercept=entry.intercept)
