"""A network tuned for every fold of a data set, so that no image is judged by weights that have seen it."""

import hashlib
import json
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import safetensors.torch
import torch

from shared.domain.messages import Message
from shared.engines import Engine
from shared.imaging.regions.crop import Framing
from shared.learning.classifiers.classifiers import Labels
from shared.learning.features.cache import FeatureCache
from shared.learning.features.extractors import Array, NetworkExtractor, precision_facts
from shared.learning.features.table import BATCH_IMAGES
from shared.learning.progress import ProgressCallback
from shared.learning.samples.sample import Sample
from shared.learning.tuning.course import Hyperparameters, LearningCurves, hyperparameter_grid
from shared.learning.tuning.inputs import Rows
from shared.learning.tuning.tuner import Backbone, TunedLayers, Tuner
from shared.learning.validation.cross_validation import CrossValidation
from shared.networks import TapNetwork, compute_device
from shared.recipes import NetworkFeatures, TuningPlan
from shared.statistics import roc_auc

MAX_SNAPSHOT_BYTES = 4 * 2**30
"""Weights of each epoch are kept while there is room for them; past that the chosen epoch is tuned again."""


@dataclass(frozen=True)
class TuningContext:
    """What every network of a data set is tuned on.

    `samples` can all be read; `framing` is the recipe's. `engine` runs the tuned networks; tuning itself needs gradients
    and is PyTorch's.
    """

    samples: list[Sample]
    cross_validation: CrossValidation
    plan: TuningPlan
    framing: Framing
    cache: FeatureCache
    engine: Engine


class NetworkTuning:
    """One network, tuned in one way: apart from each fold's test rows, and once on all rows.

    Parameters
    ----------
    features : names network, tuning and frozen stages; its taps have no part in it
    body : gives the pre-trained layers when they are needed
    origin : SHA-256 of the pre-trained weights
    """

    def __init__(
        self,
        features: NetworkFeatures,
        body: Callable[[], Backbone],
        origin: str,
        ground: TuningContext,
        progress: ProgressCallback,
    ) -> None:
        self._features = features
        self._body = body
        self._ground = ground
        self._progress = progress
        self._rows = np.arange(len(ground.samples))
        self._open = ExitStack()
        self._snapshots: dict[tuple[int, int, int], Path] = {}
        self._snapshot_bytes = 0
        folds = b"".join(fold.test.tobytes() + b"|" for fold in ground.cross_validation.folds)
        facts = {
            "network": features.network,
            "weights": origin,
            "how": [features.tuning, features.frozen],
            "plan": asdict(ground.plan),
            "data": ground.cross_validation.fingerprint,
            "folds": hashlib.sha256(folds).hexdigest(),
            "framing": str(ground.framing),
            "seed": ground.cross_validation.seed,
        }
        self.digest = hashlib.sha256(
            json.dumps(facts, sort_keys=True).encode()
        ).hexdigest()

    def close(self) -> None:
        """Let go of what the tuned layers read."""
        self._open.close()

    def prepare(self) -> None:
        """Tune for every fold and choose; raises `TuningDiverged`."""
        for number in (None, *range(len(self._ground.cross_validation.folds))):
            self._chosen(number)

    def tune_without_fold(self, number: int) -> None:
        """Tune without a fold's test rows, by every course, and keep how they were judged after each epoch."""
        tried = hyperparameter_grid(self._ground.plan)
        for which, course in enumerate(tried):
            self._curve(which, course, number, (which / len(tried), 1 / len(tried)))

    def tune_on_all(self) -> None:
        """Tune on all rows, for the bundle; raises `TuningDiverged`."""
        _ = self._final

    def hyperparameters(self, number: int | None) -> Hyperparameters:
        """Chosen without the labels of the fold's test rows; with all labels for the final network."""
        return self._chosen(number)[1]

    def fold_log_odds(self, number: int) -> Array:
        """Log-odds (M,) of a fold's test rows by the network tuned without them."""
        which, course = self._chosen(number)
        test = self._ground.cross_validation.folds[number].test
        verdicts: Array = self._curves.log_odds[which, course.epochs - 1, test]
        return verdicts

    def network(self, number: int | None, taps: tuple[str, ...]) -> TapNetwork:
        """The network tuned for a fold, or on all rows."""
        tail = self._final if number is None else self._of_fold(number)
        return self._tuner.network(tail, taps)

    def extractor_inputs(self, rows: Rows, with_mask: bool) -> Array:
        """What an extractor prepares of these images."""
        return self._tuner.extractor_inputs(rows, with_mask)

    @cached_property
    def folder(self) -> Path:
        """Where tables and weights are kept until `close`."""
        return Path(
            self._open.enter_context(tempfile.TemporaryDirectory(prefix="sera-tuned-"))
        )

    def _chosen(self, number: int | None) -> tuple[int, Hyperparameters]:
        trial = self._ground.cross_validation
        rows = self._rows if number is None else trial.folds[number].training
        return self._curves.choose(trial.malignant, rows)

    @cached_property
    def _tuner(self) -> Tuner:
        ground = self._ground
        return Tuner(
            self._body(),
            self._features,
            ground.samples,
            ground.cross_validation.malignant,
            ground.plan,
            ground.cross_validation.seed,
            compute_device(),
            self.folder,
        )

    @cached_property
    def _curves(self) -> LearningCurves:
        """From `keep` fold by fold where they are there, so that an interrupted tuning goes on where it was."""
        tried = hyperparameter_grid(self._ground.plan)
        folds = self._ground.cross_validation.folds
        margins = np.zeros(
            (len(tried), self._ground.plan.epochs, len(self._rows)), np.float32
        )
        share = 1 / (len(tried) * len(folds))
        for which, course in enumerate(tried):
            for number, fold in enumerate(folds):
                span = (which * len(folds) + number) * share, share
                margins[which][:, fold.test] = self._curve(which, course, number, span)
        return LearningCurves(tried, margins)

    def _curve(
        self, which: int, course: Hyperparameters, number: int, span: tuple[float, float]
    ) -> Array:
        """(epochs, test rows) of a fold; `span` is where on the scale of progress it begins, and how long it is."""
        key = f"curves/{self.digest}/{which}/{number}"
        rows = len(self._ground.cross_validation.folds[number].test)
        if (known := self._ground.cache.get(key)) is not None:
            return np.frombuffer(known, "<f4").reshape(-1, rows)
        curve = self._follow(which, course, number, span)
        self._ground.cache.put(key, curve.astype("<f4").tobytes())
        return curve

    def _follow(
        self, which: int, course: Hyperparameters, number: int, span: tuple[float, float]
    ) -> Array:
        """Tune without a fold's test rows and judge them after each epoch: (epochs, test rows)."""
        trial = self._ground.cross_validation
        fold = trial.folds[number]
        curve = []

        def look(epoch: int, tail: TunedLayers, loss: float) -> None:
            curve.append(self._tuner.log_odds(tail, fold.test))
            self._keep_snapshot((which, number, epoch), tail)
            message = self._message(
                epoch, course, fold=number + 1, folds=len(trial.folds), rate=course.rate
            )
            figures = {
                "loss": loss,
                "epoch": epoch,
                **_area(curve[-1], trial.malignant[fold.test]),
            }
            self._progress(
                "tuning", span[0] + span[1] * epoch / course.epochs, message, figures
            )

        self._tuner.tune(fold.training, course, look)
        return np.stack(curve)

    def _message(self, epoch: int, course: Hyperparameters, **of_fold: float) -> Message:
        facts = {
            "network": self._features.network,
            "tuning": self._features.tuning,
            "epoch": epoch,
            "epochs": course.epochs,
        }
        return Message("progress-tuning", facts | of_fold)

    @cached_property
    def _final(self) -> TunedLayers:
        """Tuned on all rows; from `keep` where it is there."""
        course = self.hyperparameters(None)
        key = f"networks/{self.digest}"
        if (known := self._ground.cache.get(key)) is not None:
            return self._tuner.restore_layers(safetensors.torch.load(known))

        def look(epoch: int, tail: TunedLayers, loss: float) -> None:
            figures = {"loss": loss, "epoch": epoch}
            self._progress(
                "network", epoch / course.epochs, self._message(epoch, course), figures
            )

        tail = self._tuner.tune(self._rows, course, look)
        self._ground.cache.put(key, safetensors.torch.save(_state(tail)))
        return tail

    def _of_fold(self, number: int) -> TunedLayers:
        which, course = self._chosen(number)
        kept = self._snapshots.get((which, number, course.epochs))
        if kept is not None:
            return self._tuner.restore_layers(safetensors.torch.load_file(kept))
        return self._tuner.tune(self._ground.cross_validation.folds[number].training, course)

    def _keep_snapshot(self, key: tuple[int, int, int], tail: TunedLayers) -> None:
        state = _state(tail)
        size = sum(tensor.nbytes for tensor in state.values())
        if self._snapshot_bytes + size <= MAX_SNAPSHOT_BYTES:
            path = self.folder / "-".join(map(str, key))
            safetensors.torch.save_file(state, path)
            self._snapshots[key], self._snapshot_bytes = (
                path,
                self._snapshot_bytes + size,
            )


class TunedFeatures:
    """A feature set of a tuned network: each fold's table from the network tuned without its test rows.

    Tables are made once and lie on disk, since there is one for every fold.
    """

    is_tuned = True

    def __init__(
        self, features: NetworkFeatures, tuning: NetworkTuning, ground: TuningContext
    ) -> None:
        self._features = features
        self._tuning = tuning
        self._ground = ground
        precision = precision_facts(ground.engine.precision)
        how = json.dumps(
            [features.taps, features.flips, features.root, *precision.values()]
        )
        self.digest = hashlib.sha256(f"{tuning.digest}/{how}".encode()).hexdigest()
        self._made: dict[int | None, Path] = {}

    def prepare(self) -> None:
        """Tune for every fold and choose."""
        self._tuning.prepare()

    def fold_table(self, number: int) -> Array:
        return self._table(number)

    def final_table(self) -> Array:
        return self._table(None)

    def hyperparameters(self, number: int | None) -> Hyperparameters:
        """How the network of a fold was tuned."""
        return self._tuning.hyperparameters(number)

    def fold_log_odds(self, number: int) -> Array:
        """Known since the network was tuned, unless they are to be averaged over mirror images."""
        test = self._ground.cross_validation.folds[number].test
        if not self._features.flips:
            return self._tuning.fold_log_odds(number)
        verdicts: Array = self._table(number)[test, -1]
        return verdicts

    def extractor(self) -> NetworkExtractor:
        """Of the network tuned on all rows, for the bundle."""
        network = self._tuning.network(None, self._features.taps)
        return NetworkExtractor(self._features, network, self._ground.engine)

    def _table(self, number: int | None) -> Array:
        if number not in self._made:
            path = self._tuning.folder / f"{self.digest[:16]}-{number}.npy"
            np.save(path, self._gathered(number))
            self._made[number] = path
        table: Array = np.load(self._made[number], mmap_mode="r")
        return table

    def _gathered(self, number: int | None) -> Array:
        """From `keep` where the table is there."""
        key = f"tables/{self.digest}/{'final' if number is None else number}"
        count = len(self._ground.samples)
        if (known := self._ground.cache.get(key)) is not None:
            return np.frombuffer(known, "<f4").reshape(count, -1)
        network = self._tuning.network(number, self._features.taps)
        extractor = NetworkExtractor(self._features, network, self._ground.engine)
        batches = np.array_split(np.arange(count), -(-count // BATCH_IMAGES))
        prepared = (self._tuning.extractor_inputs(rows, network.takes_mask) for rows in batches)
        table = np.concatenate([extractor.compute(list(images)) for images in prepared])
        self._ground.cache.put(key, table.astype("<f4").tobytes())
        return table


def _state(tail: TunedLayers) -> dict[str, torch.Tensor]:
    return {
        name: tensor.detach().cpu().contiguous()
        for name, tensor in tail.state_dict().items()
    }


def _area(margins: Array, malignant: Labels) -> dict[str, float]:
    """The AUC (), or nothing where it has none: one class only, or a descent that ran away."""
    if len(set(malignant)) < 2 or not np.isfinite(margins).all():
        return {}
    return {"auc": roc_auc(margins, malignant)}
