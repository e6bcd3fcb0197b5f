"""Saves a fitted model as a bundle: a folder of files and a manifest."""

import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import safetensors.numpy
import safetensors.torch

from shared.bundles import belonging, evidence, golden_cases, golden_outlines
from shared.bundles.errors import BundleExists
from shared.bundles.manifest import (
    CLASSES,
    FORMAT,
    MANIFEST_FILE,
    ComponentEntry,
    FileEntry,
    FusionEntry,
    GoldenEntry,
    Manifest,
    NoveltyEntry,
    OutlineEntry,
    SigmoidEntry,
    TrainingEntry,
    sha256,
)
from shared.bundles.trusted import dump_classifier
from shared.learning import Evidence, FittedComponent, FittedModel
from shared.learning.features.extractors import NetworkExtractor
from shared.learning.novelty import Novelty
from shared.outlines import pack_network
from shared.statistics import Sigmoid

LIBRARIES = (
    "numpy",
    "opencv-python-headless",
    "safetensors",
    "scikit-learn",
    "scipy",
    "skops",
    "torch",
)
NOVELTY_FILE = "novelty.safetensors"
OUTLINE_FILE = "networks/outline.safetensors"
OUTLINE_GOLDEN_FILE = "golden-outlines.safetensors"
GOLDEN_FILE = "golden.safetensors"


def save(
    model: FittedModel,
    folder: Path,
    *,
    synthetic: bool,
    created: datetime | None = None,
) -> str:
    """Write a bundle and return its digest. The folder appears complete or not at all.

    Parameters
    ----------
    model : with evidence, as from `fit`
    folder : must not exist (`BundleExists`)
    synthetic : True if the model is trained only on phantoms; every screen then states this
    """
    if model.evidence is None:
        raise ValueError(
            "a bundle of today keeps its evidence, and this model has none"
        )
    nodules = golden_cases.draw_cases(model.recipe.roi.margin)
    contents = _contents(model, model.evidence)
    contents[GOLDEN_FILE] = golden_cases.pack(nodules)
    if model.outliner is not None:
        contents[OUTLINE_FILE] = pack_network(model.outliner.network)
        contents[OUTLINE_GOLDEN_FILE] = golden_outlines.draw(model.outliner)
    predictions = model.predict(golden_cases.unpack_bytes(contents[GOLDEN_FILE]))
    if model.belonging is not None:
        distances = [prediction.frame_distance or 0.0 for prediction in predictions]
        contents[belonging.BELONGING_FILE] = belonging.pack(model.belonging, distances)
    manifest = _manifest(
        model,
        model_evidence=model.evidence,
        contents=contents,
        golden_scores=tuple(prediction.score for prediction in predictions),
        synthetic=synthetic,
        created=created or datetime.now(UTC),
    ).to_bytes()
    write_folder(folder, {**contents, MANIFEST_FILE: manifest})
    return sha256(manifest)


def write_folder(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Write all files into a temporary folder beside the target, then rename it."""
    if folder.exists():
        raise BundleExists(folder=folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=".bundle-", dir=folder.parent))
    try:
        for path, content in contents.items():
            target = temporary / path
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(content)
        temporary.chmod(0o755)
        os.rename(temporary, folder)
    except OSError as error:
        if folder.exists():  # another process wrote it in the meantime
            raise BundleExists(folder=folder) from error
        raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _contents(model: FittedModel, model_evidence: Evidence) -> dict[str, bytes]:
    """Return the contents of all files except the golden cases and the manifest, by path."""
    contents = {
        _network_file(index, extractor): _pack_weights(extractor)
        for index, extractor in _network_extractors(model).items()
    }
    for component in model.components:
        if component.scorer.model is not None:
            file = _component_file(component)
            contents[file] = dump_classifier(component.scorer.model)
    contents[evidence.EVIDENCE_FILE] = evidence.pack(model_evidence)
    contents[NOVELTY_FILE] = _pack_novelty(model.novelty)
    return contents


def _network_extractors(model: FittedModel) -> dict[int, NetworkExtractor]:
    """Return the extractors of networks by the index of the feature set."""
    return {
        index: extractor
        for index, extractor in enumerate(model.extractors)
        if isinstance(extractor, NetworkExtractor)
    }


def _network_file(index: int, extractor: NetworkExtractor) -> str:
    return f"networks/{index}-{extractor.feature_set.network}.safetensors"


def _component_file(component: FittedComponent) -> str:
    indices = "-".join(map(str, component.feature_sets))
    return f"classifiers/{indices}-{component.kind}.skops"


def _pack_weights(extractor: NetworkExtractor) -> bytes:
    tensors = extractor.network.state_dict()
    return safetensors.torch.save(
        {name: tensor.contiguous() for name, tensor in tensors.items()}
    )


def _pack_novelty(novelty: Novelty) -> bytes:
    arrays = {
        "mean": novelty.mean,
        "spread": novelty.spread,
        "components": novelty.components,
        "variances": novelty.variances,
    }
    return safetensors.numpy.save(arrays)


def _manifest(
    model: FittedModel,
    model_evidence: Evidence,
    contents: Mapping[str, bytes],
    golden_scores: tuple[float, ...],
    synthetic: bool,
    created: datetime,
) -> Manifest:
    return Manifest(
        format=FORMAT,
        name=model.recipe.name,
        version=model.recipe.version,
        created=created.isoformat(timespec="seconds"),
        synthetic=synthetic,
        recipe=model.recipe.as_table(),
        training=TrainingEntry(**asdict(model.training)),
        prevalence=model.training.prevalence,
        classes=CLASSES,
        cutoff=model.cutoff,
        fusion=FusionEntry(weights=model.fusion.weights, bias=model.fusion.bias),
        calibration=_sigmoid_entry(model.calibration),
        networks={
            index: _network_file(index, extractor)
            for index, extractor in _network_extractors(model).items()
        },
        readers=tuple(map(_component_entry, model.components)),
        novelty=NoveltyEntry(
            file=NOVELTY_FILE,
            residual=model.novelty.residual,
            limit=model.novelty_limit,
        ),
        outline=OutlineEntry(file=OUTLINE_FILE, golden=OUTLINE_GOLDEN_FILE)
        if model.outliner
        else None,
        golden=GoldenEntry(file=GOLDEN_FILE, scores=golden_scores),
        evidence=evidence.evidence_entry(model_evidence),
        metrics=dict(model.metrics),
        libraries={library: version(library) for library in LIBRARIES},
        files={
            path: FileEntry(sha256=sha256(content), size=len(content))
            for path, content in contents.items()
        },
    )


def _component_entry(component: FittedComponent) -> ComponentEntry:
    has_file = component.scorer.model is not None
    file = _component_file(component) if has_file else None
    return ComponentEntry(
        feature_sets=component.feature_sets,
        kind=component.kind,
        settings=component.settings,
        calibration=_sigmoid_entry(component.calibration),
        file=file,
    )


def _sigmoid_entry(sigmoid: Sigmoid) -> SigmoidEntry:
    return SigmoidEntry(slope=sigmoid.slope, intercept=sigmoid.intercept)
