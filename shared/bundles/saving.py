"""From a fitted model to a folder."""

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

from shared.bundles import evidence, golden_cases
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
    SigmoidEntry,
    TrainingEntry,
    sha256,
)
from shared.bundles.trusted import dump_classifier
from shared.learning import Evidence, FittedComponent, FittedModel
from shared.learning.features.extractors import NetworkExtractor
from shared.learning.novelty import Novelty
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
GOLDEN_FILE = "golden.safetensors"


def save(
    model: FittedModel,
    folder: Path,
    *,
    synthetic: bool,
    created: datetime | None = None,
) -> str:
    """Write a bundle and return its digest; the folder appears whole or not at all.

    Parameters
    ----------
    model : with its evidence, as `fit` made it
    folder : must not exist (`BundleExists`)
    synthetic : True where the model has seen phantoms only, so that every screen can say so
    """
    if model.evidence is None:
        raise ValueError(
            "a bundle of today keeps its evidence, and this model has none"
        )
    cases = golden_cases.draw_cases(model.recipe.roi.margin)
    contents = _contents(model, model.evidence) | {
        GOLDEN_FILE: golden_cases.pack(cases)
    }
    scores = tuple(prediction.score for prediction in model.predict(cases))
    manifest = _manifest(
        model, model.evidence, contents, scores, synthetic, created or datetime.now(UTC)
    ).to_bytes()
    write_folder(folder, {**contents, MANIFEST_FILE: manifest})
    return sha256(manifest)


def write_folder(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Write all files beside the target, then rename."""
    if folder.exists():
        raise BundleExists(folder=folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=".bundle-", dir=folder.parent))
    try:
        for path, content in contents.items():
            target = part / path
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(content)
        part.chmod(0o755)
        os.rename(part, folder)
    except OSError as refused:
        if folder.exists():  # another process wrote it meanwhile
            raise BundleExists(folder=folder) from refused
        raise
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _contents(model: FittedModel, model_evidence: Evidence) -> dict[str, bytes]:
    networks = {
        _network_file(number, extractor): _weights(extractor)
        for number, extractor in _networks(model).items()
    }
    classifiers = {
        _reader_file(reader): dump_classifier(reader.scorer.model)
        for reader in model.components
        if reader.scorer.model
    }
    others = {
        evidence.EVIDENCE_FILE: evidence.pack(model_evidence),
        NOVELTY_FILE: _novelty(model.novelty),
    }
    return networks | classifiers | others


def _networks(model: FittedModel) -> dict[int, NetworkExtractor]:
    """By the number of the feature set."""
    return {
        number: extractor
        for number, extractor in enumerate(model.extractors)
        if isinstance(extractor, NetworkExtractor)
    }


def _network_file(number: int, extractor: NetworkExtractor) -> str:
    return f"networks/{number}-{extractor.feature_set.network}.safetensors"


def _reader_file(reader: FittedComponent) -> str:
    return f"classifiers/{'-'.join(map(str, reader.feature_sets))}-{reader.kind}.skops"


def _weights(extractor: NetworkExtractor) -> bytes:
    tensors = extractor.network.state_dict()
    return safetensors.torch.save(
        {name: tensor.contiguous() for name, tensor in tensors.items()}
    )


def _novelty(novelty: Novelty) -> bytes:
    arrays = {
        name: getattr(novelty, name)
        for name in ("mean", "spread", "components", "variances")
    }
    return safetensors.numpy.save(arrays)


def _manifest(
    model: FittedModel,
    model_evidence: Evidence,
    contents: Mapping[str, bytes],
    scores: tuple[float, ...],
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
        calibration=_sigmoid(model.calibration),
        networks={
            number: _network_file(number, extractor)
            for number, extractor in _networks(model).items()
        },
        readers=tuple(map(_reader, model.components)),
        novelty=NoveltyEntry(
            file=NOVELTY_FILE,
            residual=model.novelty.residual,
            limit=model.novelty_limit,
        ),
        golden=GoldenEntry(file=GOLDEN_FILE, scores=scores),
        evidence=evidence.evidence_entry(model_evidence),
        metrics=dict(model.metrics),
        libraries={library: version(library) for library in LIBRARIES},
        files={
            path: FileEntry(sha256=sha256(content), size=len(content))
            for path, content in contents.items()
        },
    )


def _reader(reader: FittedComponent) -> ComponentEntry:
    return ComponentEntry(
        feature_sets=reader.feature_sets,
        kind=reader.kind,
        settings=reader.settings,
        calibration=_sigmoid(reader.calibration),
        file=_reader_file(reader) if reader.scorer.model else None,
    )


def _sigmoid(sigmoid: Sigmoid) -> SigmoidEntry:
    return SigmoidEntry(slope=sigmoid.slope, intercept=sigmoid.intercept)
