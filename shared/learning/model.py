"""A fitted model: what reads a nodule, and what was measured of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from shared.domain.results.findings import Finding
from shared.domain.results.prediction import Component, Prediction, Verdict
from shared.errors import SeraError
from shared.imaging.image import Nodule
from shared.learning.classifiers.classifiers import Scorer, Scores, Settings
from shared.learning.classifiers.fusion import Fuser
from shared.learning.evidence import Evidence
from shared.learning.features.extractors import Array, Extractor
from shared.learning.features.fold_features import classifier_input
from shared.learning.features.table import Vectors, compute_vectors
from shared.learning.novelty import Novelty
from shared.observability.timings import measure
from shared.recipes import SUPERVISED_TUNINGS, ClassifierKind, FeatureSet, NetworkFeatures, Recipe
from shared.statistics import Sigmoid

OUT_OF_DISTRIBUTION = Finding(
    "out-of-distribution",
    "This image is unlike those the model was trained on, so the risk means little. Have a radiologist read it.",
)


@dataclass(frozen=True)
class FittedComponent:
    """A classifier with its settings, the numbers of its feature sets, read side by side, and its calibration."""

    feature_sets: tuple[int, ...]
    kind: ClassifierKind
    settings: Settings
    scorer: Scorer
    calibration: Sigmoid


@dataclass(frozen=True)
class TrainingSummary:
    """What the model was fitted on."""

    images: int
    benign: int
    malignant: int
    groups: int
    skipped: int
    fingerprint: str
    """SHA-256 over the samples' keys, labels and groups."""
    seed: int
    patients: int | None = None
    """Those known by name; None in models that did not count them."""
    sites: Mapping[str, int] = field(default_factory=dict)
    """Images of each site that is named."""

    @property
    def prevalence(self) -> float:
        return self.malignant / self.images


@dataclass(frozen=True)
class FittedModel:
    """Extractors, readers and the rule from their probabilities to a decision.

    `evidence` is None in models from before it was kept.
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

    def predict(self, nodules: Sequence[Nodule]) -> list[Prediction]:
        """One prediction for each nodule; raises the error of the first that cannot be read."""
        predictions = []
        for outcome in self.predict_each(nodules):
            if isinstance(outcome, SeraError):
                raise outcome
            predictions.append(outcome)
        return predictions

    def predict_each(
        self, nodules: Sequence[Nodule | SeraError]
    ) -> list[Prediction | SeraError]:
        """For each nodule its prediction, or the error that kept it from being read: a bad image fails alone.

        An error in a nodule's place is handed back.
        """
        with measure("features"):
            outcomes = compute_vectors(self.extractors, nodules)
        good = [outcome for outcome in outcomes if not isinstance(outcome, SeraError)]
        with measure("classify"):
            predictions = iter(self._read(good) if good else ())
        return [
            outcome if isinstance(outcome, SeraError) else next(predictions)
            for outcome in outcomes
        ]

    def _read(self, rows: Sequence[Vectors]) -> list[Prediction]:
        features = [np.stack(column) for column in zip(*rows, strict=True)]
        probabilities = np.stack(
            [self._probabilities(reader, features) for reader in self.components]
        )
        scores = self.fusion.fuse(probabilities)
        risks = self.calibration.apply(scores)
        strangeness, embedding = self.novelty.score_and_embed(
            novelty_features(self.recipe.features, features)
        )
        facts = zip(
            scores,
            risks,
            strangeness,
            embedding,
            self._p_values(scores),
            probabilities.T,
            strict=True,
        )
        return [self._prediction(*of_one) for of_one in facts]

    def _p_values(self, scores: Scores) -> Sequence[tuple[float | None, float | None]]:
        """Of the benign and the malignant class, for each score."""
        if self.evidence is None:
            return [(None, None)] * len(scores)
        return [
            tuple(pair) for pair in self.evidence.conformal.p_values(scores).tolist()
        ]

    def _probabilities(self, reader: FittedComponent, features: Sequence[Array]) -> Scores:
        sets = [self.recipe.features[place] for place in reader.feature_sets]
        tuned = [
            isinstance(each, NetworkFeatures) and each.tuning in SUPERVISED_TUNINGS for each in sets
        ]
        table = classifier_input(
            reader.kind, [features[place] for place in reader.feature_sets], tuned
        )
        return reader.calibration.apply(reader.scorer.score(table))

    def _prediction(
        self,
        score: float,
        risk: float,
        strangeness: float,
        embedding: Array,
        p_values: tuple[float | None, float | None],
        probabilities: Scores,
    ) -> Prediction:
        strange = strangeness > self.novelty_limit
        verdict = Verdict.MALIGNANT if score >= self.cutoff else Verdict.BENIGN
        benign_p, malignant_p = p_values
        return Prediction(
            score=float(score),
            risk=float(risk),
            decision=Verdict.REFER if strange else verdict,
            cutoff=self.cutoff,
            components=tuple(map(self._component, self.components, probabilities)),
            strangeness=float(strangeness),
            embedding=tuple(embedding.tolist()),
            benign_p=benign_p,
            malignant_p=malignant_p,
            findings=(OUT_OF_DISTRIBUTION,) if strange else (),
        )

    def _component(self, reader: FittedComponent, probability: float) -> Component:
        sources = [self.recipe.features[place] for place in reader.feature_sets]
        networks, taps = (
            "+".join(getattr(each, name) for each in sources)
            for name in ("network", "tap")
        )
        return Component(
            network=networks,
            tap=taps,
            classifier=reader.kind,
            probability=float(probability),
        )


def novelty_features(sets: Sequence[FeatureSet], tables: Sequence[Array]) -> Array:
    """The networks' features side by side, (N, D); formulas' where there is no network."""
    chosen = [
        table
        for each, table in zip(sets, tables, strict=True)
        if isinstance(each, NetworkFeatures)
    ]
    return np.concatenate(chosen or list(tables), axis=1)
