"""A fitted model: extractors, components, fusion and decision, with its metrics and evidence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from shared.domain.results.findings import Finding
from shared.domain.results.prediction import Component, Prediction, Verdict
from shared.errors import SeraError
from shared.imaging.image import Nodule
from shared.learning.belonging import Belonging, foreign_image
from shared.learning.classifiers.classifiers import Scorer, Scores, Settings
from shared.learning.classifiers.fusion import Fuser
from shared.learning.evidence import Evidence
from shared.learning.features.extractors import Array, Extractor
from shared.learning.features.fold_features import classifier_input
from shared.learning.features.frames import FrameExtractor
from shared.learning.features.table import Vectors, compute_vectors
from shared.learning.novelty import Novelty
from shared.observability.timings import measure
from shared.outlines import NetworkOutliner
from shared.recipes import (
    SUPERVISED_TUNINGS,
    ClassifierKind,
    FeatureSet,
    NetworkFeatures,
    Recipe,
)
from shared.statistics import Sigmoid, VennAbers

OUT_OF_DISTRIBUTION = Finding(
    "out-of-distribution",
    "This image is unlike those the model was trained on, so the risk means little. "
    "Have a radiologist read it.",
)


@dataclass(frozen=True)
class FittedComponent:
    """A fitted classifier on one or more feature sets, with its settings and its calibration.

    `feature_sets` holds the indices of the sets, whose columns are concatenated in this order.
    """

    feature_sets: tuple[int, ...]
    kind: ClassifierKind
    settings: Settings
    scorer: Scorer
    calibration: Sigmoid


@dataclass(frozen=True)
class TrainingSummary:
    """Counts of the images that the model is fitted on.

    Attributes
    ----------
    groups : patients, or images without a known patient
    skipped : images that cannot be read
    fingerprint : SHA-256 over the samples' keys, labels and groups
    patients : number of known patients; None in models of a version that did not count them
    sites : number of images of each known site
    """

    images: int
    benign: int
    malignant: int
    groups: int
    skipped: int
    fingerprint: str
    seed: int
    patients: int | None = None
    sites: Mapping[str, int] = field(default_factory=dict)

    @property
    def prevalence(self) -> float:
        return self.malignant / self.images


@dataclass(frozen=True)
class FittedModel:
    """Everything that turns a nodule into a prediction.

    `evidence` is None in models of a version that stored none. `outliner` is None if nodules are
    read by the given ROI as it is. `frames` and `belonging` judge the whole picture before the
    nodule; both are None in models of a version that did not, and of recipes without a network.
    """

    recipe: Recipe
    extractors: tuple[Extractor, ...]
    components: tuple[FittedComponent, ...]
    fusion: Fuser
    calibration: Sigmoid
    cutoff: float
    novelty: Novelty
    novelty_limit: float
    training: TrainingSummary
    metrics: Mapping[str, float]
    evidence: Evidence | None = None
    outliner: NetworkOutliner | None = None
    frames: FrameExtractor | None = None
    belonging: Belonging | None = None

    def predict(self, nodules: Sequence[Nodule]) -> list[Prediction]:
        """Return one prediction for each nodule.

        Raises the error of the first unreadable nodule.
        """
        predictions = []
        for outcome in self.predict_each(nodules):
            if isinstance(outcome, SeraError):
                raise outcome
            predictions.append(outcome)
        return predictions

    def predict_each(
        self, nodules: Sequence[Nodule | SeraError]
    ) -> list[Prediction | SeraError]:
        """Return the prediction or the error of each nodule.

        An error of one nodule does not affect the other nodules.

        If an entry of `nodules` is already an error, it is returned unchanged.
        """
        extractors: list[Extractor] = list(self.extractors)
        if self.frames is not None:
            extractors.append(self.frames)
        with measure("features"):
            outcomes = compute_vectors(extractors, nodules)
        rows = [outcome for outcome in outcomes if not isinstance(outcome, SeraError)]
        with measure("classify"):
            predictions = iter(self._predict_rows(rows) if rows else ())
        return [
            outcome
            if isinstance(outcome, SeraError)
            else _without_answer_if_not_found(next(predictions), nodule)
            for nodule, outcome in zip(nodules, outcomes, strict=True)
        ]

    def _predict_rows(self, rows: Sequence[Vectors]) -> list[Prediction]:
        """Return the predictions from the features of N nodules."""
        tables = [np.stack(column) for column in zip(*rows, strict=True)]
        distances = self._frame_distances(tables, len(rows))
        tables = tables[: len(self.extractors)]
        probabilities = np.stack(
            [self._probabilities(component, tables) for component in self.components]
        )
        scores = self.fusion.fuse(probabilities)
        risks = self.calibration.apply(scores)
        features = novelty_features(self.recipe.features, tables)
        novelty, embedding = self.novelty.score_and_embed(features)
        p_values = self._p_values(scores)
        intervals = self._risk_intervals(scores)
        return [
            self._prediction(
                score=scores[row],
                risk=risks[row],
                novelty=novelty[row],
                embedding=embedding[row],
                p_values=p_values[row],
                risk_interval=intervals[row],
                frame_distance=distances[row],
                probabilities=probabilities[:, row],
            )
            for row in range(len(rows))
        ]

    def _frame_distances(
        self, tables: Sequence[Array], count: int
    ) -> Sequence[float | None]:
        """Return the distance of each whole picture from those of the training, 1 at the limit.

        None without belonging. The last of the tables is that of the pictures.
        """
        if self.belonging is None:
            return [None] * count
        distances: list[float] = self.belonging.distances(tables[-1]).tolist()
        return distances

    def _p_values(self, scores: Scores) -> Sequence[tuple[float | None, float | None]]:
        """Return the p-values of the benign and of the malignant class for each score."""
        if self.evidence is None:
            return [(None, None)] * len(scores)
        p_values = self.evidence.conformal.p_values(scores).tolist()
        return [(benign_p, malignant_p) for benign_p, malignant_p in p_values]

    def _risk_intervals(self, scores: Scores) -> Sequence[tuple[float, float] | None]:
        """Return the Venn-Abers interval of each score; None without calibration cases."""
        if self._venn_abers is None:
            return [None] * len(scores)
        intervals = self._venn_abers.intervals(scores).tolist()
        return [(low, high) for low, high in intervals]

    @cached_property
    def _venn_abers(self) -> VennAbers | None:
        if self.evidence is None:
            return None
        return VennAbers.from_cases(self.evidence.conformal)

    def _probabilities(
        self, component: FittedComponent, tables: Sequence[Array]
    ) -> Scores:
        """Return the calibrated probabilities (N,) from the tables (N, D) of all feature sets."""
        table = classifier_input(
            component.kind,
            tables=[tables[index] for index in component.feature_sets],
            is_tuned=[self._is_tuned(index) for index in component.feature_sets],
        )
        return component.calibration.apply(component.scorer.score(table))

    def _is_tuned(self, feature_set: int) -> bool:
        features = self.recipe.features[feature_set]
        return (
            isinstance(features, NetworkFeatures)
            and features.tuning in SUPERVISED_TUNINGS
        )

    def _prediction(
        self,
        score: float,
        risk: float,
        novelty: float,
        embedding: Array,
        p_values: tuple[float | None, float | None],
        risk_interval: tuple[float, float] | None,
        frame_distance: float | None,
        probabilities: Scores,
    ) -> Prediction:
        referrals = self._referrals(novelty, frame_distance)
        if referrals:
            decision = Verdict.REFER
        elif score >= self.cutoff:
            decision = Verdict.MALIGNANT
        else:
            decision = Verdict.BENIGN
        benign_p, malignant_p = p_values
        return Prediction(
            score=float(score),
            risk=float(risk),
            decision=decision,
            cutoff=self.cutoff,
            components=tuple(map(self._component, self.components, probabilities)),
            strangeness=float(novelty),
            embedding=tuple(embedding.tolist()),
            benign_p=benign_p,
            malignant_p=malignant_p,
            findings=referrals,
            risk_interval=risk_interval,
            frame_distance=frame_distance,
        )

    def _referrals(
        self, novelty: float, frame_distance: float | None
    ) -> tuple[Finding, ...]:
        """Return the reason why an image is referred: one alone, the picture's before the nodule's."""
        if frame_distance is not None and frame_distance > 1:
            return (foreign_image(frame_distance),)
        return (OUT_OF_DISTRIBUTION,) if novelty > self.novelty_limit else ()

    def _component(self, component: FittedComponent, probability: float) -> Component:
        feature_sets = [self.recipe.features[index] for index in component.feature_sets]
        return Component(
            network="+".join(features.network for features in feature_sets),
            tap="+".join(features.tap for features in feature_sets),
            classifier=component.kind,
            probability=float(probability),
        )


def _without_answer_if_not_found(
    prediction: Prediction, nodule: Nodule | SeraError
) -> Prediction:
    """Return the prediction; `refer` if the picture was read because no nodule was found in it."""
    if isinstance(nodule, SeraError) or nodule.is_found:
        return prediction
    return replace(prediction, decision=Verdict.REFER)


def novelty_features(
    feature_sets: Sequence[FeatureSet], tables: Sequence[Array]
) -> Array:
    """Return the features that novelty is measured on, concatenated: (N, D).

    They are the features of networks, or the handcrafted features if the recipe has no network.
    """
    network_tables = [
        table
        for features, table in zip(feature_sets, tables, strict=True)
        if isinstance(features, NetworkFeatures)
    ]
    return np.concatenate(network_tables or list(tables), axis=1)
