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
from shared.learning.classifiers.fitted import Fits, NoFits
from shared.learning.classifiers.fusion import cross_fused, fit_fuser
from shared.learning.evidence import gather_evidence
from shared.learning.features.cache import FeatureCache, NoCache
from shared.learning.features.fold_features import seen
from shared.learning.model import FittedModel, FittedReader, Training, of_networks
from shared.learning.novelty import Novelty
from shared.learning.progress import Progress, silent
from shared.learning.samples.sample import Sample
from shared.learning.training_context import Workbench, fingerprint
from shared.learning.validation.cross_validation import FoldDesk, OutOfFold, Reading
from shared.learning.validation.report import measure, measure_reader
from shared.networks import WeightsFinder
from shared.recipes import Recipe
from shared.statistics import fit_sigmoid, youden_cutoff


def fit(
    samples: Sequence[Sample],
    recipe: Recipe,
    weights: WeightsFinder,
    *,
    progress: Progress = silent,
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
    with Workbench(
        samples, recipe, weights, keep, seed, progress, engine=engine
    ) as bench:
        judged = bench.out_of_fold(bench.readings, recipe.features, progress)
        return assemble(bench, judged, progress)


def assemble(
    bench: Workbench,
    judged: Sequence[OutOfFold],
    progress: Progress = silent,
    fits: Fits | None = None,
) -> FittedModel:
    """The model of a data set that is on the table, once its readings are judged."""
    scores = [of_one.scores for of_one in judged]
    return _Assembly(bench, bench.readings, scores, progress, fits or NoFits()).model()


def fit_reading(bench: Workbench, number: int, fits: Fits) -> None:
    """Fit one of the recipe's readers on all rows, and keep it."""
    with _final_desk(bench) as desk:
        _fitted(bench, desk, bench.readings[number], fits)


def _final_desk(bench: Workbench) -> FoldDesk:
    return FoldDesk(
        [bench.columns(features) for features in bench.recipe.features],
        bench.trial,
        None,
    )


def _fitted(
    bench: Workbench, desk: FoldDesk, reading: Reading, fits: Fits
) -> tuple[Settings, Scorer]:
    """Settings chosen, and the classifier fitted, on all rows; from `fits` where it is there."""
    sets, classifier = reading
    if (known := fits.get(desk.key(reading))) is not None:
        return known[0], SCORERS[classifier.kind](known[1])
    settings = desk.choose(sets, classifier)
    columns = [bench.columns(bench.recipe.features[place]) for place in sets]
    table = seen(
        classifier.kind,
        [each.final() for each in columns],
        [each.tuned for each in columns],
    )
    scorer = fit_classifier(
        classifier, settings, table, bench.trial.malignant, bench.seed
    )
    if scorer.model is not None:
        fits.put(desk.key(reading), settings, scorer.model)
    return settings, scorer


class _Assembly:
    """The steps after the out-of-fold scores."""

    def __init__(
        self,
        bench: Workbench,
        readings: Sequence[Reading],
        scores: Sequence[Scores],
        progress: Progress,
        fits: Fits,
    ) -> None:
        self._bench = bench
        self._recipe = bench.recipe
        self._progress = progress
        self._fits = fits
        self._readings = readings
        self._scores = scores
        self._columns = [bench.columns(features) for features in bench.recipe.features]
        self._malignant: Labels = bench.trial.malignant

    def model(self) -> FittedModel:
        readers = self._readers()
        rule = self._recipe.fusion.rule
        folds = self._bench.trial.folds
        # Calibration and weights come from all out-of-fold scores for use, and across folds for the figures reported.
        calibrated = [
            reader.calibration.apply(of_one)
            for reader, of_one in zip(readers, self._scores, strict=True)
        ]
        probabilities = np.stack(calibrated)
        fusion = fit_fuser(rule, probabilities, self._malignant)
        fused = fusion.fuse(probabilities)
        honest = cross_fused(rule, self._scores, self._malignant, folds)
        calibration = fit_sigmoid(fused, self._malignant)
        strangeness = self._novelty_out_of_fold()
        features = self._strange_features(None)
        novelty = Novelty.fit(features)
        embedding = novelty.place(features)[1]
        return FittedModel(
            recipe=self._recipe,
            extractors=tuple(
                self._bench.extractor(place) for place in range(len(self._columns))
            ),
            readers=readers,
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

    def _readers(self) -> tuple[FittedReader, ...]:
        with _final_desk(self._bench) as desk:
            return tuple(
                self._reader(desk, *of_one)
                for of_one in zip(self._readings, self._scores, strict=True)
            )

    def _reader(self, desk: FoldDesk, reading: Reading, scores: Scores) -> FittedReader:
        sets, classifier = reading
        settings, scorer = _fitted(self._bench, desk, reading, self._fits)
        message = Message("progress-reader", {"reader": self._recipe.label(*reading)})
        self._progress("final", 0.0, message, {})
        return FittedReader(
            sets,
            classifier.kind,
            settings,
            scorer,
            fit_sigmoid(scores, self._malignant),
        )

    def _strange_features(self, number: int | None) -> Table:
        tables = [
            each.final() if number is None else each.of_fold(number)
            for each in self._columns
        ]
        return of_networks(self._recipe.features, tables)

    def _novelty_out_of_fold(self) -> Scores:
        """How strange each training image looks to a model of the other folds."""
        strangeness = np.zeros(len(self._malignant))
        for number, fold in enumerate(self._bench.trial.folds):
            features = self._strange_features(number)
            strangeness[fold.test] = Novelty.fit(features[fold.training]).score(
                features[fold.test]
            )
        return strangeness

    def _training(self) -> Training:
        table = self._bench.table
        return Training(
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
        metrics = measure(honest, self._malignant, self._bench.trial.folds)
        for reading, of_one in zip(self._readings, self._scores, strict=True):
            metrics |= measure_reader(
                self._recipe.label(*reading), of_one, self._malignant
            )
        self._progress("final", 1.0, Message("progress-validated"), metrics)
        return metrics
