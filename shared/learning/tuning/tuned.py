"""Tunes a network once for every fold, so that no image is scored by weights tuned on it."""

import hashlib
import json
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import safetensors.torch
import torch

from shared.domain.messages import Message
from shared.engines import Engine
from shared.learning.classifiers.classifiers import Labels
from shared.learning.features.cache import FeatureCache
from shared.learning.features.extractors import (
    Array,
    NetworkExtractor,
    engine_facts,
)
from shared.learning.features.fold_features import WeightedTable
from shared.learning.features.table import BATCH_IMAGES
from shared.learning.progress import ProgressCallback
from shared.learning.samples.nodules import NoduleReader
from shared.learning.samples.sample import Sample
from shared.learning.tuning.hyperparameters import (
    Hyperparameters,
    LearningCurves,
    hyperparameter_grid,
)
from shared.learning.tuning.inputs import Rows
from shared.learning.tuning.tuner import Backbone, TunedLayers, Tuner
from shared.learning.validation.cross_validation import CrossValidation
from shared.networks import TapNetwork, compute_device
from shared.recipes import NetworkFeatures, TuningPlan
from shared.statistics import roc_auc

MAX_SNAPSHOT_BYTES = 4 * 2**30
"""Maximum size of the stored weights after each epoch.

If they are larger, the network of the chosen epoch is tuned again.
"""


@dataclass(frozen=True)
class TuningContext:
    """Everything that the tunings of all networks of a data set share.

    Attributes
    ----------
    samples : readable images only
    nodules : how their nodules are cut out
    engine : runs the tuned networks; tuning itself needs gradients and uses PyTorch
    """

    samples: list[Sample]
    cross_validation: CrossValidation
    plan: TuningPlan
    nodules: NoduleReader
    cache: FeatureCache
    engine: Engine


class _Snapshot(NamedTuple):
    """Identifies the weights of one tuning after an epoch."""

    grid_index: int
    fold: int
    epoch: int


class _ProgressSpan(NamedTuple):
    """The part of the progress scale, from 0 to 1, that one tuning covers."""

    start: float
    length: float


class NetworkTuning:
    """One network, tuned in one way: once without each fold's test rows, and once on all rows.

    Parameters
    ----------
    features : network, tuning and frozen stages; the taps are ignored
    load_backbone : loads the pre-trained layers when they are needed
    weights_sha256 : SHA-256 of the pre-trained weights
    """

    def __init__(
        self,
        features: NetworkFeatures,
        load_backbone: Callable[[], Backbone],
        weights_sha256: str,
        context: TuningContext,
        progress: ProgressCallback,
    ) -> None:
        cross_validation = context.cross_validation
        self._features = features
        self._load_backbone = load_backbone
        self._context = context
        self._progress = progress
        self._folds = cross_validation.folds
        self._grid = hyperparameter_grid(context.plan)
        self._all_rows = np.arange(len(context.samples))
        self._resources = ExitStack()
        self._snapshots: dict[_Snapshot, Path] = {}
        self._snapshot_bytes = 0
        test_rows = b"".join(fold.test.tobytes() + b"|" for fold in self._folds)
        facts = {
            "network": features.network,
            "weights": weights_sha256,
            "how": [features.tuning, features.frozen],
            "plan": asdict(context.plan),
            "data": cross_validation.fingerprint,
            "folds": hashlib.sha256(test_rows).hexdigest(),
            "nodules": [context.nodules.key(sample) for sample in context.samples],
            "seed": cross_validation.seed,
        }
        text = json.dumps(facts, sort_keys=True)
        self.digest = hashlib.sha256(text.encode()).hexdigest()

    def close(self) -> None:
        """Delete the temporary files."""
        self._resources.close()

    def prepare(self) -> None:
        """Tune for every fold, and choose the hyperparameters. Raises `TuningDiverged`."""
        for fold in (None, *range(len(self._folds))):
            self._choose(fold)

    def tune_without_fold(self, fold: int) -> None:
        """Tune without a fold's test rows, with the whole grid, and store the learning curves."""
        length = 1 / len(self._grid)
        for index in range(len(self._grid)):
            span = _ProgressSpan(index / len(self._grid), length)
            self._cached_curve(index, fold, span)

    def tune_on_all(self) -> None:
        """Tune on all rows, for the bundle. Raises `TuningDiverged`."""
        _ = self._final_layers

    def hyperparameters(self, fold: int | None) -> Hyperparameters:
        """Return the hyperparameters of a fold's network, or of the final network.

        The hyperparameters of a fold are chosen without the labels of the fold's test rows. The
        final hyperparameters are chosen with all labels.
        """
        _, hyperparameters = self._choose(fold)
        return hyperparameters

    def fold_log_odds(self, fold: int) -> Array:
        """Return the log-odds (M,) of a fold's test rows from the network tuned without them."""
        index, hyperparameters = self._choose(fold)
        test = self._folds[fold].test
        log_odds: Array = self._curves.log_odds[index, hyperparameters.epochs - 1, test]
        return log_odds

    def network(self, fold: int | None, taps: tuple[str, ...]) -> TapNetwork:
        """Return the network tuned for a fold, or on all rows."""
        layers = self._final_layers if fold is None else self._fold_layers(fold)
        return self._tuner.network(layers, taps)

    def extractor_inputs(self, rows: Rows, with_mask: bool) -> Array:
        """Return these images as an extractor prepares them."""
        return self._tuner.extractor_inputs(rows, with_mask)

    @cached_property
    def folder(self) -> Path:
        """A temporary folder for tables and weights, deleted by `close`."""
        folder = tempfile.TemporaryDirectory(prefix="sera-tuned-")
        return Path(self._resources.enter_context(folder))

    def _choose(self, fold: int | None) -> tuple[int, Hyperparameters]:
        """Return the chosen hyperparameters, and their index in the grid."""
        rows = self._all_rows if fold is None else self._folds[fold].training
        return self._curves.choose(self._context.cross_validation.malignant, rows)

    @cached_property
    def _tuner(self) -> Tuner:
        cross_validation = self._context.cross_validation
        return Tuner(
            backbone=self._load_backbone(),
            features=self._features,
            samples=self._context.samples,
            nodules=self._context.nodules,
            malignant=cross_validation.malignant,
            plan=self._context.plan,
            seed=cross_validation.seed,
            device=compute_device(),
            folder=self.folder,
        )

    @cached_property
    def _curves(self) -> LearningCurves:
        """Learning curves of the whole grid on all folds.

        Each fold's curves come from the cache if they are there, so that an interrupted tuning
        continues after the finished folds.
        """
        shape = (len(self._grid), self._context.plan.epochs, len(self._all_rows))
        log_odds = np.zeros(shape, np.float32)
        length = 1 / (len(self._grid) * len(self._folds))
        for index in range(len(self._grid)):
            for number, fold in enumerate(self._folds):
                position = index * len(self._folds) + number
                span = _ProgressSpan(position * length, length)
                curve = self._cached_curve(index, number, span)
                log_odds[index][:, fold.test] = curve
        return LearningCurves(grid=self._grid, log_odds=log_odds)

    def _cached_curve(self, index: int, fold: int, span: _ProgressSpan) -> Array:
        """Return the log-odds (epochs, test rows) of a fold, from the cache if they are there.

        Parameters
        ----------
        index : the index of the hyperparameters in the grid
        """
        key = f"curves/{self.digest}/{index}/{fold}"
        stored = self._context.cache.get(key)
        if stored is not None:
            test_count = len(self._folds[fold].test)
            return np.frombuffer(stored, "<f4").reshape(-1, test_count)
        curve = self._compute_curve(index, fold, span)
        self._context.cache.put(key, curve.astype("<f4").tobytes())
        return curve

    def _compute_curve(self, index: int, fold: int, span: _ProgressSpan) -> Array:
        """Tune without a fold's test rows, and evaluate them after each epoch."""
        hyperparameters = self._grid[index]
        rows = self._folds[fold]
        test_labels = self._context.cross_validation.malignant[rows.test]
        curve: list[Array] = []

        def evaluate(epoch: int, layers: TunedLayers, loss: float) -> None:
            log_odds = self._tuner.log_odds(layers, rows.test)
            curve.append(log_odds)
            self._store_snapshot(_Snapshot(index, fold, epoch), layers)
            message = self._message(
                epoch,
                hyperparameters,
                fold=fold + 1,
                folds=len(self._folds),
                rate=hyperparameters.rate,
            )
            metrics = {"loss": loss, "epoch": epoch, **_auc(log_odds, test_labels)}
            fraction = span.start + span.length * epoch / hyperparameters.epochs
            self._progress("tuning", fraction, message, metrics)

        self._tuner.tune(rows.training, hyperparameters, evaluate)
        return np.stack(curve)

    def _message(
        self, epoch: int, hyperparameters: Hyperparameters, **fold_facts: float
    ) -> Message:
        facts = {
            "network": self._features.network,
            "tuning": self._features.tuning,
            "epoch": epoch,
            "epochs": hyperparameters.epochs,
        }
        return Message("progress-tuning", facts | fold_facts)

    @cached_property
    def _final_layers(self) -> TunedLayers:
        """The layers tuned on all rows, from the cache if they are there."""
        hyperparameters = self.hyperparameters(None)
        key = f"networks/{self.digest}"
        stored = self._context.cache.get(key)
        if stored is not None:
            return self._tuner.restore_layers(safetensors.torch.load(stored))

        def report_epoch(epoch: int, layers: TunedLayers, loss: float) -> None:
            fraction = epoch / hyperparameters.epochs
            message = self._message(epoch, hyperparameters)
            self._progress("network", fraction, message, {"loss": loss, "epoch": epoch})

        layers = self._tuner.tune(self._all_rows, hyperparameters, report_epoch)
        self._context.cache.put(key, safetensors.torch.save(_state(layers)))
        return layers

    def _fold_layers(self, fold: int) -> TunedLayers:
        """Return the layers tuned without a fold's test rows: from a snapshot, else tuned again."""
        index, hyperparameters = self._choose(fold)
        snapshot = _Snapshot(index, fold, hyperparameters.epochs)
        path = self._snapshots.get(snapshot)
        if path is not None:
            return self._tuner.restore_layers(safetensors.torch.load_file(path))
        return self._tuner.tune(self._folds[fold].training, hyperparameters)

    def _store_snapshot(self, snapshot: _Snapshot, layers: TunedLayers) -> None:
        """Write the weights into a file, unless the snapshots would become too large."""
        state = _state(layers)
        size_bytes = sum(tensor.nbytes for tensor in state.values())
        if self._snapshot_bytes + size_bytes > MAX_SNAPSHOT_BYTES:
            return
        path = self.folder / "-".join(map(str, snapshot))
        safetensors.torch.save_file(state, path)
        self._snapshots[snapshot] = path
        self._snapshot_bytes += size_bytes


class TunedFeatures:
    """The features of a tuned network: each fold's table comes from the network tuned without it.

    There is a table for every fold, so tables are files. Each is computed once.
    """

    is_tuned = True

    def __init__(
        self, features: NetworkFeatures, tuning: NetworkTuning, context: TuningContext
    ) -> None:
        self._features = features
        self._tuning = tuning
        self._context = context
        facts = [
            features.taps,
            features.flips,
            features.root,
            *engine_facts(context.engine).items(),
        ]
        text = f"{tuning.digest}/{json.dumps(facts)}"
        self.digest = hashlib.sha256(text.encode()).hexdigest()
        self._paths: dict[int | None, Path] = {}

    def prepare(self) -> None:
        """Tune for every fold, and choose the hyperparameters. Raises `TuningDiverged`."""
        self._tuning.prepare()

    def fold_table(self, fold_index: int) -> Array:
        return self._table(fold_index)

    def final_table(self) -> Array:
        return self._table(None)

    def training_tables(self, fold_index: int | None) -> Sequence[WeightedTable]:
        return (WeightedTable(self._table(fold_index), weight=1.0),)

    def hyperparameters(self, fold: int | None) -> Hyperparameters:
        """Return the hyperparameters of a fold's network, or of the final network."""
        return self._tuning.hyperparameters(fold)

    def fold_log_odds(self, fold_index: int) -> Array:
        """Return the network's own log-odds (M,) of a fold's test rows.

        The tuning already computed them, unless they are averaged over mirror images.
        """
        if not self._features.flips:
            return self._tuning.fold_log_odds(fold_index)
        test = self._context.cross_validation.folds[fold_index].test
        log_odds: Array = self._table(fold_index)[test, -1]
        return log_odds

    def extractor(self) -> NetworkExtractor:
        """Return the extractor of the network tuned on all rows, for the bundle."""
        return self._extractor(None)

    def _extractor(self, fold: int | None) -> NetworkExtractor:
        network = self._tuning.network(fold, self._features.taps)
        return NetworkExtractor(self._features, network, self._context.engine)

    def _table(self, fold: int | None) -> Array:
        """Return the table (N, D) from a file, which is written at the first call."""
        if fold not in self._paths:
            path = self._tuning.folder / f"{self.digest[:16]}-{fold}.npy"
            np.save(path, self._cached_table(fold))
            self._paths[fold] = path
        table: Array = np.load(self._paths[fold], mmap_mode="r")
        return table

    def _cached_table(self, fold: int | None) -> Array:
        """Return the table (N, D), from the cache if it is there."""
        key = f"tables/{self.digest}/{'final' if fold is None else fold}"
        stored = self._context.cache.get(key)
        if stored is not None:
            return np.frombuffer(stored, "<f4").reshape(len(self._context.samples), -1)
        table = self._compute_table(fold)
        self._context.cache.put(key, table.astype("<f4").tobytes())
        return table

    def _compute_table(self, fold: int | None) -> Array:
        """Compute the table (N, D) in batches of images."""
        extractor = self._extractor(fold)
        with_mask = extractor.network.takes_mask
        count = len(self._context.samples)
        tables = []
        for rows in np.array_split(np.arange(count), -(-count // BATCH_IMAGES)):
            images = self._tuning.extractor_inputs(rows, with_mask)
            tables.append(extractor.compute(list(images)))
        return np.concatenate(tables)


def _state(layers: TunedLayers) -> dict[str, torch.Tensor]:
    return {
        name: tensor.detach().cpu().contiguous()
        for name, tensor in layers.state_dict().items()
    }


def _auc(log_odds: Array, malignant: Labels) -> dict[str, float]:
    """Return the AUC as a metric; empty for one class only, or for a tuning that diverged."""
    if len(set(malignant)) < 2 or not np.isfinite(log_odds).all():
        return {}
    return {"auc": roc_auc(log_odds, malignant)}
