"""The gate step: both models predict the locked test images, and the figures are judged."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from services.trainer.samples import make_samples
from shared.bundles import Bundle
from shared.domain.messages import Message
from shared.domain.models import Judgement
from shared.domain.results.prediction import Prediction
from shared.errors import SeraError
from shared.imaging import Nodule
from shared.learning import Sample
from shared.learning.features.cache import FeatureCache
from shared.learning.progress import ProgressCallback
from shared.learning.samples.nodules import FramedNodules
from shared.ledger.datasets.labelled_image import LabelledImage
from shared.objects import ObjectStore
from shared.recipes import RoiKind
from shared.settings import Settings
from shared.statistics.model_life.gate import GatePolicy, judge_candidate
from shared.statistics.model_life.gate_predictions import (
    ModelPredictions,
    RoiKindPredictions,
)

STAGE = "gate"
BATCH_IMAGES = 16


@dataclass(frozen=True)
class ImagePrediction:
    """A model's prediction for one image, in the form in which it is cached.

    `called` says whether the score reaches the cut-off. If the model could not process the image,
    the numbers are NaN and `unread` is the code of the reason.
    """

    score: float = math.nan
    risk: float = math.nan
    called: bool = False
    referred: bool = False
    unread: str | None = None

    @classmethod
    def from_outcome(cls, outcome: Prediction | SeraError) -> "ImagePrediction":
        """Convert an outcome. `called` depends only on the score, so that a model gains no
        sensitivity by referring uncertain cases.
        """
        if isinstance(outcome, SeraError):
            return cls(unread=outcome.code)
        return cls(
            score=outcome.score,
            risk=outcome.risk,
            called=outcome.score >= outcome.cutoff,
            referred=outcome.decision == "refer",
        )


def gate_policy(settings: Settings) -> GatePolicy:
    """Return the operator's requirements on a candidate."""
    return GatePolicy(
        margin=settings.gate_margin,
        significance=settings.gate_significance,
        sensitivity_floor=settings.gate_sensitivity_floor,
        calibration_limit=settings.gate_calibration_limit,
        roi_auc_floor=settings.gate_roi_auc_floor,
        least_of_each_class=settings.gate_least_of_each_class,
    )


def judge(
    candidate: Bundle,
    live: Bundle | None,
    images: Sequence[LabelledImage],
    objects: ObjectStore,
    policy: GatePolicy,
    feature_cache: FeatureCache,
    progress: ProgressCallback,
    *,
    by_roi_kind: bool = False,
) -> Judgement:
    """Judge a candidate on the locked test images.

    At most `BATCH_IMAGES` images are in memory at once. Predictions are cached. So the live model
    processes each test image only once, and a gate step that was killed continues where it was. A
    missing or broken image counts as a wrong call. Raises `Unavailable` if the object store is
    unavailable.

    Parameters
    ----------
    by_roi_kind : whether images with an ROI are also read with each other kind of ROI
    """
    bundles = [candidate]
    if live is not None:
        bundles.append(live)
    rows_by_kind = _rows_by_roi_kind(images) if by_roi_kind else {}
    readings = len(images) + sum(rows.size for rows in rows_by_kind.values())
    predictor = _TestSetPredictor(
        objects=objects,
        cache=feature_cache,
        progress=progress,
        total=readings * len(bundles),
    )
    predictions = [predictor.predict(bundle, images) for bundle in bundles]
    roi_kinds = [
        _predict_kind(predictor, bundles, images, kind, rows)
        for kind, rows in rows_by_kind.items()
    ]
    samples = make_samples(list(images), objects)
    evidence = candidate.model.evidence
    return judge_candidate(
        candidate=predictions[0],
        live=None if live is None else predictions[1],
        labels=[image.malignant for image in images],
        sites=[image.site for image in images],
        policy=policy,
        patients=[sample.group for sample in samples],
        sizes_mm=[image.size_mm for image in images],
        roi_kinds=roi_kinds,
        left_out=None if evidence is None else evidence.left_out_sites,
    )


def _rows_by_roi_kind(
    images: Sequence[LabelledImage],
) -> dict[RoiKind, NDArray[np.int_]]:
    """Return the numbers of the images that can be read with each kind of ROI.

    A box cannot be read as an outline. An image without an ROI is read as it is, and left out here,
    so that boxes and none are compared on the same images.
    """
    rows_by_kind: dict[RoiKind, NDArray[np.int_]] = {}
    for kind in RoiKind:
        rows = [
            row
            for row, image in enumerate(images)
            if (_has_outline(image) if kind is RoiKind.OUTLINE else _has_roi(image))
        ]
        if rows:
            rows_by_kind[kind] = np.array(rows)
    return rows_by_kind


def _has_roi(image: LabelledImage) -> bool:
    return image.mask_sha256 is not None or bool(image.roi)


def _has_outline(image: LabelledImage) -> bool:
    return image.mask_sha256 is not None or "polygon" in (image.roi or {})


def _predict_kind(
    predictor: "_TestSetPredictor",
    bundles: Sequence[Bundle],
    images: Sequence[LabelledImage],
    kind: RoiKind,
    rows: NDArray[np.int_],
) -> RoiKindPredictions:
    presented = [images[row] for row in rows]
    predictions = [predictor.predict(bundle, presented, kind) for bundle in bundles]
    return RoiKindPredictions(
        kind=kind.value,
        rows=rows,
        candidate=predictions[0],
        live=predictions[1] if len(predictions) > 1 else None,
    )


class _TestSetPredictor:
    def __init__(
        self,
        objects: ObjectStore,
        cache: FeatureCache,
        progress: ProgressCallback,
        total: int,
    ) -> None:
        """`total` counts the predictions of all models, for the progress."""
        self._objects = objects
        self._cache = cache
        self._progress = progress
        self._total = total
        self._done = 0

    def predict(
        self,
        bundle: Bundle,
        images: Sequence[LabelledImage],
        kind: RoiKind | None = None,
    ) -> ModelPredictions:
        """Predictions for the images, in their order, with a kind of ROI; None: with their own.

        Images that are read with their outlines have them as their own ROI.
        """
        if kind is RoiKind.OUTLINE:
            kind = None
        samples = make_samples(list(images), self._objects)
        nodules = FramedNodules(bundle.framing, roi_kind=kind)
        predictions: list[ImagePrediction] = []
        for batch in _batches(samples):
            predictions += self._predict_batch(bundle, batch, nodules)
        return ModelPredictions(
            scores=np.array([prediction.score for prediction in predictions]),
            risks=np.array([prediction.risk for prediction in predictions]),
            decisions=np.array([prediction.called for prediction in predictions]),
            referrals=np.array([prediction.referred for prediction in predictions]),
            prevalence=bundle.prevalence,
        )

    def _predict_batch(
        self, bundle: Bundle, batch: Sequence[Sample], nodules: FramedNodules
    ) -> list[ImagePrediction]:
        kind = "" if nodules.roi_kind is None else f"{nodules.roi_kind}/"
        keys = [f"gate/{bundle.digest}/{kind}{sample.key}" for sample in batch]
        cached = [_from_json(self._cache.get(key)) for key in keys]
        new_samples = [
            sample
            for sample, prediction in zip(batch, cached, strict=True)
            if prediction is None
        ]
        new_predictions = iter(_predict(bundle, new_samples, nodules))
        predictions = []
        for key, prediction in zip(keys, cached, strict=True):
            if prediction is None:
                prediction = next(new_predictions)
                self._cache.put(key, json.dumps(asdict(prediction)).encode())
            predictions.append(prediction)
        self._report(predictions)
        return predictions

    def _report(self, predictions: Sequence[ImagePrediction]) -> None:
        self._done += len(predictions)
        unread = sum(prediction.unread is not None for prediction in predictions)
        metrics: Mapping[str, float] = {"unread": unread}
        message = Message(
            "progress-readings", {"done": self._done, "readings": self._total}
        )
        self._progress(STAGE, self._done / self._total, message, metrics)


def _predict(
    bundle: Bundle, samples: Sequence[Sample], reader: FramedNodules
) -> list[ImagePrediction]:
    nodules = [_load(sample, reader) for sample in samples]
    readable = [nodule for nodule in nodules if not isinstance(nodule, SeraError)]
    outcomes = iter(bundle.predict_each(readable) if readable else ())
    predictions = []
    for nodule in nodules:
        outcome = nodule if isinstance(nodule, SeraError) else next(outcomes)
        predictions.append(ImagePrediction.from_outcome(outcome))
    return predictions


def _load(sample: Sample, reader: FramedNodules) -> Nodule | SeraError:
    """Load the nodule, or return the error of an image that cannot be read.

    An unavailable engine is no fault of the image: its error is raised and ends the step.
    """
    try:
        return reader.nodule(sample)
    except SeraError as error:
        if error.retryable:
            raise
        return error


def _from_json(text: bytes | None) -> ImagePrediction | None:
    if not text:
        return None
    return ImagePrediction(**json.loads(text))


def _batches(samples: Sequence[Sample]) -> Iterator[list[Sample]]:
    remaining = iter(samples)
    while batch := list(islice(remaining, BATCH_IMAGES)):
        yield batch
