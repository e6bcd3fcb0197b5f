"""The gate's step: both models read the locked test images, batch by batch, and the figures are judged."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice

import numpy as np

from services.trainer.samples import samples
from shared.bundles import Bundle
from shared.domain.messages import Message
from shared.domain.models import Judgement
from shared.domain.results.prediction import Prediction
from shared.errors import SeraError
from shared.imaging import Nodule
from shared.learning import Sample
from shared.learning.features.cache import FeatureCache
from shared.learning.progress import ProgressCallback
from shared.ledger.datasets.labelled_image import LabelledImage
from shared.objects import ObjectStore
from shared.settings import Settings
from shared.statistics.model_life.gate import (
    GatePolicy,
    ModelPredictions,
    judge_candidate,
)

STAGE = "gate"
BATCH = 16


@dataclass(frozen=True)
class Reading:
    """What a model said of one image; the numbers are NaN where it could not read it, for the reason `unread`."""

    score: float = math.nan
    risk: float = math.nan
    called: bool = False
    referred: bool = False
    unread: str | None = None

    @classmethod
    def of(cls, outcome: Prediction | SeraError) -> "Reading":
        """Called by the score, so that a model gains no sensitivity by referring what it is unsure of."""
        if isinstance(outcome, SeraError):
            return cls(unread=outcome.code)
        called = outcome.score >= outcome.cutoff
        return cls(outcome.score, outcome.risk, called, outcome.decision == "refer")


def policy_of(settings: Settings) -> GatePolicy:
    """What the operator asks of a candidate."""
    return GatePolicy(
        margin=settings.gate_margin,
        significance=settings.gate_significance,
        sensitivity_floor=settings.gate_sensitivity_floor,
        calibration_limit=settings.gate_calibration_limit,
        least_of_each_class=settings.gate_least_of_each_class,
    )


def judge(
    candidate: Bundle,
    live: Bundle | None,
    images: Sequence[LabelledImage],
    objects: ObjectStore,
    policy: GatePolicy,
    keep: FeatureCache,
    progress: ProgressCallback,
) -> Judgement:
    """Judge a candidate on the locked test images.

    At most `BATCH` images are in memory at once. What a bundle said of an image is kept, so the live model reads each
    test image once in its life, and a gate that was killed goes on where it was. Raises `Unavailable` where the object
    store is away; an image that is missing or broken counts as called wrongly.
    """
    bundles = [candidate] + ([live] if live else [])
    desk = _Desk(objects, keep, progress, len(images) * len(bundles))
    readings = [desk.readings(bundle, images) for bundle in bundles]
    labels = [image.malignant for image in images]
    sites = [image.site for image in images]
    patients = [
        sample.group for sample in samples(list(images), objects, candidate.framing)
    ]
    sizes = [image.size_mm for image in images]
    return judge_candidate(
        readings[0],
        readings[1] if live else None,
        labels,
        sites,
        policy,
        patients,
        sizes,
    )


class _Desk:
    def __init__(
        self, objects: ObjectStore, keep: FeatureCache, progress: ProgressCallback, total: int
    ) -> None:
        self._objects = objects
        self._keep = keep
        self._progress = progress
        self._total = total
        self._done = 0

    def readings(self, bundle: Bundle, images: Sequence[LabelledImage]) -> ModelPredictions:
        """What a bundle says of the images, in their order."""
        rows = [
            reading
            for batch in _batches(samples(list(images), self._objects, bundle.framing))
            for reading in self._read(bundle, batch)
        ]
        columns = {
            name: np.array([getattr(row, name) for row in rows])
            for name in ("score", "risk", "called")
        }
        referred = np.array([row.referred for row in rows])
        return ModelPredictions(
            columns["score"],
            columns["risk"],
            columns["called"],
            referred,
            bundle.prevalence,
        )

    def _read(self, bundle: Bundle, batch: Sequence[Sample]) -> list[Reading]:
        keys = [f"gate/{bundle.digest}/{sample.key}" for sample in batch]
        known = [_parsed(self._keep.get(key)) for key in keys]
        missing = [
            sample
            for sample, reading in zip(batch, known, strict=True)
            if reading is None
        ]
        predicted = iter(_predicted(bundle, missing))
        readings = []
        for key, reading in zip(keys, known, strict=True):
            if reading is None:
                reading = next(predicted)
                self._keep.put(key, json.dumps(asdict(reading)).encode())
            readings.append(reading)
        self._done += len(batch)
        metrics: Mapping[str, float] = {
            "unread": sum(reading.unread is not None for reading in readings)
        }
        message = Message(
            "progress-readings", {"done": self._done, "readings": self._total}
        )
        self._progress(STAGE, self._done / self._total, message, metrics)
        return readings


def _predicted(bundle: Bundle, batch: Sequence[Sample]) -> list[Reading]:
    loaded = [_loaded(sample) for sample in batch]
    good = [nodule for nodule in loaded if not isinstance(nodule, SeraError)]
    outcomes = iter(bundle.predict_each(good) if good else ())
    return [
        Reading.of(each if isinstance(each, SeraError) else next(outcomes))
        for each in loaded
    ]


def _loaded(sample: Sample) -> Nodule | SeraError:
    """The nodule, or why it cannot be read; an engine that is away is no fault of the image and ends the step."""
    try:
        return sample.load()
    except SeraError as error:
        if error.retryable:
            raise
        return error


def _parsed(kept: bytes | None) -> Reading | None:
    return Reading(**json.loads(kept)) if kept else None


def _batches(rows: Sequence[Sample]) -> Iterator[list[Sample]]:
    rest = iter(rows)
    while batch := list(islice(rest, BATCH)):
        yield batch
