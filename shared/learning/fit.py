"""The way from labelled samples to a fitted model, read from top to bottom in `fit`."""

import hashlib
from collections.abc import Sequence

import numpy as np

from shared.learning.cache import FeatureCache, NoCache
from shared.learning.classifiers import Labels, Scores, fit_classifier
from shared.learning.extractors import Extractor, HandcraftedExtractor, NetworkExtractor
from shared.learning.folds import check_enough, split
from shared.learning.fusion import cross_fused, fit_fuser
from shared.learning.model import FittedModel, FittedReader, Training, novelty_features
from shared.learning.novelty import Novelty
from shared.learning.progress import Progress, silent
from shared.learning.report import measure, measure_reader
from shared.learning.sample import Sample, check_classes
from shared.learning.scratch import train_on_phantoms
from shared.learning.table import FeatureTable, gather
from shared.learning.validation import Trial, choose, out_of_fold
from shared.networks import TapNetwork, WeightsFinder
from shared.recipes import Classifier, FeatureSet, HandcraftedFeatures, Recipe, Tuning
from shared.statistics import fit_sigmoid, youden_cutoff


def fit(
    samples: Sequence[Sample],
    recipe: Recipe,
    weights: WeightsFinder,
    *,
    progress: Progress = silent,
    cache: FeatureCache | None = None,
    seed: int = 0,
) -> FittedModel:
    """Fit a recipe on samples; the same samples, recipe and seed give the same model.

    Its metrics come from nested cross-validation by patient: settings, calibration and cut-off that judge a fold were
    all chosen on the other folds.

    Raises
    ------
    SingleClass, TooFewSamples, WeightsMissing, WeightsUnreadable, NetworkUnknown, TapUnknown
    """
    check_classes(samples)
    extractors = [build_extractor(features, recipe, weights, seed, progress) for features in recipe.features]
    table = gather(samples, extractors, cache or NoCache(), recipe.roi.margin, progress)
    return _Fitting(recipe, tuple(extractors), table, seed, progress).model()


def build_extractor(
    features: FeatureSet, recipe: Recipe, weights: WeightsFinder, seed: int, progress: Progress = silent
) -> Extractor:
    """What computes a feature set, its network's weights found or trained."""
    if isinstance(features, HandcraftedFeatures):
        return HandcraftedExtractor(features)
    if features.tuning is Tuning.PHANTOMS:
        network = train_on_phantoms(features, recipe.phantoms, recipe.roi.margin, seed, progress)
    else:
        network = TapNetwork.pretrained(features.network, features.taps, weights)
    return NetworkExtractor(features, network)


class _Fitting:
    """The steps after the features, which share one table and one set of folds."""

    def __init__(
        self, recipe: Recipe, extractors: tuple[Extractor, ...], table: FeatureTable, seed: int, progress: Progress
    ) -> None:
        check_enough(table.malignant, table.groups)
        self._recipe, self._extractors, self._table = recipe, extractors, table
        self._seed, self._progress = seed, progress
        self._folds = split(table.malignant, table.groups, recipe.validation.folds, seed)
        self._trial = Trial(table.malignant, table.groups, recipe.validation.inner_folds, seed)

    def model(self) -> FittedModel:
        pairs = self._pairs()
        scores = [self._out_of_fold(number, pair, len(pairs)) for number, pair in enumerate(pairs)]
        readers = tuple(self._reader(pair, of_one) for pair, of_one in zip(pairs, scores, strict=True))
        # Calibration and weights come from all out-of-fold scores for use, and across folds for the figures reported.
        probabilities = np.stack([reader.calibration.apply(s) for reader, s in zip(readers, scores, strict=True)])
        fusion = fit_fuser(self._recipe.fusion.rule, probabilities, self._malignant)
        fused = fusion.fuse(probabilities)
        honest = cross_fused(self._recipe.fusion.rule, scores, self._malignant, self._folds)
        strangeness = self._novelty_out_of_fold()
        return FittedModel(
            recipe=self._recipe,
            extractors=self._extractors,
            readers=readers,
            fusion=fusion,
            calibration=fit_sigmoid(fused, self._malignant),
            cutoff=youden_cutoff(fused, self._malignant),
            novelty=Novelty.fit(self._strange_features()),
            novelty_limit=float(np.quantile(strangeness, self._recipe.decision.novelty_quantile)),
            training=self._training(),
            metrics=self._metrics(pairs, scores, honest),
        )

    @property
    def _malignant(self) -> Labels:
        return self._table.malignant

    def _pairs(self) -> list[tuple[int, Classifier]]:
        """Feature set and classifier of each reader that takes part."""
        everyone = [
            (number, classifier) for number in range(len(self._extractors)) for classifier in self._recipe.classifiers
        ]
        members = self._recipe.fusion.members
        return [pair for pair in everyone if members == ("all",) or self._label(pair) in members]

    def _label(self, pair: tuple[int, Classifier]) -> str:
        number, classifier = pair
        return f"{self._extractors[number].source.name}/{classifier.kind}"

    def _out_of_fold(self, place: int, pair: tuple[int, Classifier], count: int) -> Scores:
        number, classifier = pair
        scores = out_of_fold(classifier, self._table.features[number], self._trial, self._folds)
        metrics = measure_reader(self._label(pair), scores, self._malignant)
        self._progress("readers", (place + 1) / count, self._label(pair), metrics)
        return scores

    def _reader(self, pair: tuple[int, Classifier], scores: Scores) -> FittedReader:
        number, classifier = pair
        features = self._table.features[number]
        settings = choose(classifier, features, self._trial, np.arange(len(features)))
        scorer = fit_classifier(classifier, settings, features, self._malignant, self._seed)
        self._progress("final", 0.0, self._label(pair), {})
        return FittedReader(number, classifier.kind, settings, scorer, fit_sigmoid(scores, self._malignant))

    def _strange_features(self) -> np.ndarray:
        return novelty_features(self._extractors, self._table.features)

    def _novelty_out_of_fold(self) -> Scores:
        """How strange each training image looks to a model of the other folds."""
        features, strangeness = self._strange_features(), np.zeros(len(self._malignant))
        for fold in self._folds:
            strangeness[fold.test] = Novelty.fit(features[fold.training]).score(features[fold.test])
        return strangeness

    def _training(self) -> Training:
        table = self._table
        return Training(
            images=len(table.samples),
            benign=int((~table.malignant).sum()),
            malignant=int(table.malignant.sum()),
            groups=len(set(table.groups)),
            skipped=len(table.skipped),
            fingerprint=fingerprint(table.samples),
            seed=self._seed,
        )

    def _metrics(
        self, pairs: Sequence[tuple[int, Classifier]], scores: Sequence[Scores], honest: Scores
    ) -> dict[str, float]:
        metrics = measure(honest, self._malignant, self._folds)
        for pair, of_one in zip(pairs, scores, strict=True):
            metrics |= measure_reader(self._label(pair), of_one, self._malignant)
        self._progress("final", 1.0, "cross-validated", metrics)
        return metrics


def fingerprint(samples: Sequence[Sample]) -> str:
    """SHA-256 of a data set: keys, labels and groups, whatever their order."""
    digest = hashlib.sha256()
    for line in sorted(f"{sample.key}\t{sample.malignant:d}\t{sample.group}\n" for sample in samples):
        digest.update(line.encode())
    return digest.hexdigest()
