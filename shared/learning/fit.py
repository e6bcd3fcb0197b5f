"""The way from labelled samples to a fitted model, read from top to bottom in `fit`."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from shared.domain.messages import Message
from shared.engines import Engine
from shared.learning.classifiers.classifiers import (
    SCORERS,
    Labels,
    Scorer,
    Scores,
    Settings,
    Table,
    fit_classifier,
)
from shared.learning.classifiers.fitted import ClassifierCache, NoClassifierCache
from shared.learning.classifiers.fusion import fuse_out_of_fold, fit_fuser
from shared.learning.evidence import gather_evidence
from shared.learning.features.cache import FeatureCache, NoCache
from shared.learning.features.fold_features import classifier_input
from shared.learning.model import FittedModel, FittedComponent, TrainingSummary, novelty_features
from shared.learning.novelty import Novelty
from shared.learning.progress import ProgressCallback, ignore_progress
from shared.learning.samples.sample import Sample
from shared.learning.training_context import TrainingContext, fingerprint
from shared.learning.validation.cross_validation import FoldEvaluator, OutOfFoldScores, Reading
from shared.learning.validation.report import ensemble_metrics, component_metrics
from shared.networks import WeightsFinder
from shared.recipes import Recipe
from shared.statistics import fit_sigmoid, youden_cutoff


def fit(
    samples: Sequence[Sample],
    recipe: Recipe,
    weights: WeightsFinder,
    *,
    progress: ProgressCallback = ignore_progress,
    cache: FeatureCache | None = None,
    seed: int = 0,
    engine: Engine | None = None,
) -> FittedModel:
    """Fit a recipe on samples; the same samples, recipe and seed give the same model.

    Its metrics come from nested cross-validation by patient: tuned weights, settings, calibration and cut-off that
    judge a fold were all made on the other folds.

    Parameters
    ----------
    engine : runs the networks; None for the one that suits this machine

    Raises
    ------
    SingleClass, TooFewSamples, NoneReadable, WeightsMissing, WeightsUnreadable, NetworkUnknown, TapUnknown
    """
    keep = NoCache() if cache is None else cache
    with TrainingContext(
        samples, recipe, weights, keep, seed, progress, engine=engine
    ) as bench:
        judged = bench.score_out_of_fold(bench.components, recipe.features, progress)
        return assemble_model(bench, judged, progress)


def assemble_model(
    bench: TrainingContext,
    judged: Sequence[OutOfFoldScores],
    progress: ProgressCallback = ignore_progress,
    fits: ClassifierCache | None = None,
) -> FittedModel:
    """The model of a data set that is on the table, once its readings are judged."""
    scores = [of_one.scores for of_one in judged]
    return _Assembly(bench, bench.components, scores, progress, fits or NoClassifierCache()).model()


def fit_component(bench: TrainingContext, number: int, fits: ClassifierCache) -> None:
    """Fit one of the recipe's readers on all rows, and keep it."""
    with _final_desk(bench) as desk:
        _fitted(bench, desk, bench.components[number], fits)


def _final_desk(bench: TrainingContext) -> FoldEvaluator:
    return FoldEvaluator(
        [bench.fold_features(features) for features in bench.recipe.features],
        bench.cross_validation,
        None,
    )


def _fitted(
    bench: TrainingContext, desk: FoldEvaluator, reading: Reading, fits: ClassifierCache
) -> tuple[Settings, Scorer]:
    """Settings chosen, and the classifier fitted, on all rows; from `fits` where it is there."""
    sets, classifier = reading
    if (known := fits.get(desk.cache_key(reading))) is not None:
        return known[0], SCORERS[classifier.kind](known[1])
    settings = desk.choose_settings(sets, classifier)
    columns = [bench.fold_features(bench.recipe.features[place]) for place in sets]
    table = classifier_input(
        classifier.kind,
        [each.final_table() for each in columns],
        [each.is_tuned for each in columns],
    )
    scorer = fit_classifier(
        classifier, settings, table, bench.cross_validation.malignant, bench.seed
    )
    if scorer.model is not None:
        fits.put(desk.cache_key(reading), settings, scorer.model)
    return settings, scorer


class _Assembly:
    """The steps after the out-of-fold scores."""

    def __init__(
        self,
        bench: TrainingContext,
        readings: Sequence[Reading],
        scores: Sequence[Scores],
        progress: ProgressCallback,
        fits: ClassifierCache,
    ) -> None:
        self._bench = bench
        self._recipe = bench.recipe
        self._progress = progress
        self._fits = fits
        self._readings = readings
        self._scores = scores
        self._columns = [bench.fold_features(features) for features in bench.recipe.features]
        self._malignant: Labels = bench.cross_validation.malignant

    def model(self) -> FittedModel:
        readers = self._readers()
        rule = self._recipe.fusion.rule
        folds = self._bench.cross_validation.folds
        # Calibration and weights come from all out-of-fold scores for use, and across folds for the figures reported.
        calibrated = [
            reader.calibration.apply(of_one)
            for reader, of_one in zip(readers, self._scores, strict=True)
        ]
        probabilities = np.stack(calibrated)
        fusion = fit_fuser(rule, probabilities, self._malignant)
        fused = fusion.fuse(probabilities)
        honest = fuse_out_of_fold(rule, self._scores, self._malignant, folds)
        calibration = fit_sigmoid(fused, self._malignant)
        strangeness = self._novelty_out_of_fold()
        features = self._strange_features(None)
        novelty = Novelty.fit(features)
        embedding = novelty.score_and_embed(features)[1]
        return FittedModel(
            recipe=self._recipe,
            extractors=tuple(
                self._bench.extractor(place) for place in range(len(self._columns))
            ),
            components=readers,
            fusion=fusion,
            calibration=calibration,
            cutoff=youden_cutoff(fused, self._malignant),
            novelty=novelty,
            novelty_limit=float(
                np.quantile(strangeness, self._recipe.decision.novelty_quantile)
            ),
            training=self._training(),
            metrics=self._metrics(honest),
            evidence=gather_evidence(
                honest, self._malignant, folds, calibration, strangeness, embedding
            ),
        )

    def _readers(self) -> tuple[FittedComponent, ...]:
        with _final_desk(self._bench) as desk:
            return tuple(
                self._reader(desk, *of_one)
                for of_one in zip(self._readings, self._scores, strict=True)
            )

    def _reader(self, desk: FoldEvaluator, reading: Reading, scores: Scores) -> FittedComponent:
        sets, classifier = reading
        settings, scorer = _fitted(self._bench, desk, reading, self._fits)
        message = Message("progress-reader", {"reader": self._recipe.label(*reading)})
        self._progress("final", 0.0, message, {})
        return FittedComponent(
            sets,
            classifier.kind,
            settings,
            scorer,
            fit_sigmoid(scores, self._malignant),
        )

    def _strange_features(self, number: int | None) -> Table:
        tables = [
            each.final_table() if number is None else each.fold_table(number)
            for each in self._columns
        ]
        return novelty_features(self._recipe.features, tables)

    def _novelty_out_of_fold(self) -> Scores:
        """How strange each training image looks to a model of the other folds."""
        strangeness = np.zeros(len(self._malignant))
        for number, fold in enumerate(self._bench.cross_validation.folds):
            features = self._strange_features(number)
            strangeness[fold.test] = Novelty.fit(features[fold.training]).score(
                features[fold.test]
            )
        return strangeness

    def _training(self) -> TrainingSummary:
        table = self._bench.table
        return TrainingSummary(
            images=len(table.samples),
            benign=int((~table.malignant).sum()),
            malignant=int(table.malignant.sum()),
            groups=len(set(table.groups)),
            skipped=len(table.skipped),
            fingerprint=fingerprint(table.samples),
            seed=self._bench.seed,
            patients=len(
                {sample.group for sample in table.samples if sample.patient is not None}
            ),
            sites=dict(
                sorted(
                    Counter(
                        sample.site for sample in table.samples if sample.site
                    ).items()
                )
            ),
        )

    def _metrics(self, honest: Scores) -> Mapping[str, float]:
        metrics = ensemble_metrics(honest, self._malignant, self._bench.cross_validation.folds)
        for reading, of_one in zip(self._readings, self._scores, strict=True):
            metrics |= component_metrics(
                self._recipe.label(*reading), of_one, self._malignant
            )
        self._progress("final", 1.0, Message("progress-validated"), metrics)
        return metrics
