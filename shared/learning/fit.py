"""Fits a recipe on labelled samples. `fit` is the entry; `_ModelAssembly.build` lists the steps."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from shared.domain.messages import Message
from shared.engines import Engine
from shared.learning.belonging import Belonging
from shared.learning.classifiers.classifiers import (
    SCORERS,
    Labels,
    Scorer,
    Scores,
    Settings,
    Table,
)
from shared.learning.classifiers.fitted import ClassifierCache, NoClassifierCache
from shared.learning.classifiers.fusion import (
    calibrate_component,
    fit_fuser,
    fuse_out_of_fold,
)
from shared.learning.evidence import gather_evidence
from shared.learning.features.cache import FeatureCache, NoCache
from shared.learning.model import (
    FittedComponent,
    FittedModel,
    TrainingSummary,
    novelty_features,
)
from shared.learning.novelty import Novelty
from shared.learning.outline_quality import held_out_dice
from shared.learning.progress import ProgressCallback, ignore_progress
from shared.learning.samples.sample import Sample, fingerprint
from shared.learning.training_context import TrainingContext
from shared.learning.validation.cross_validation import FoldEvaluator, OutOfFoldScores
from shared.learning.validation.report import component_metrics, ensemble_metrics
from shared.networks import WeightsFinder
from shared.recipes import ComponentSpec, Recipe
from shared.statistics import fit_sigmoid, youden_cutoff
from shared.statistics.model_life.left_out_sites import LeftOutSites


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

    The metrics come from nested cross-validation by patient. The tuned weights, settings,
    calibration and cut-off for a fold all come from the other folds.

    Parameters
    ----------
    engine : runs the networks; by default the best one for this machine

    Raises
    ------
    SingleClass, TooFewSamples, NoReadableImages, WeightsMissing, WeightsUnreadable, NetworkUnknown,
    TapUnknown
    """
    with TrainingContext(
        samples,
        recipe=recipe,
        weights=weights,
        cache=NoCache() if cache is None else cache,
        seed=seed,
        progress=progress,
        engine=engine,
    ) as context:
        out_of_fold = context.score_out_of_fold(
            context.components, recipe.features, progress
        )
        return assemble_model(context, out_of_fold, progress)


def assemble_model(
    context: TrainingContext,
    out_of_fold: Sequence[OutOfFoldScores],
    progress: ProgressCallback = ignore_progress,
    classifier_cache: ClassifierCache | None = None,
    left_out_sites: LeftOutSites | None = None,
) -> FittedModel:
    """Return the final model, fitted on all rows.

    Parameters
    ----------
    left_out_sites : evidence of fits that left out each site, which the model keeps
    out_of_fold : scores of `context.components`
    classifier_cache : classifiers that `fit_component` has already fitted
    """
    assembly = _ModelAssembly(
        context,
        scores=[component.scores for component in out_of_fold],
        progress=progress,
        cache=NoClassifierCache() if classifier_cache is None else classifier_cache,
    )
    return assembly.build(left_out_sites)


def fit_component(
    context: TrainingContext, component_index: int, classifier_cache: ClassifierCache
) -> None:
    """Fit one of `context.components` on all rows, and store it in the cache."""
    with _final_evaluator(context) as evaluator:
        _fit_on_all_rows(
            context, evaluator, context.components[component_index], classifier_cache
        )


def _final_evaluator(context: TrainingContext) -> FoldEvaluator:
    features = [
        context.fold_features(feature_set) for feature_set in context.recipe.features
    ]
    return FoldEvaluator(features, context.cross_validation, fold_index=None)


def _fit_on_all_rows(
    context: TrainingContext,
    evaluator: FoldEvaluator,
    component: ComponentSpec,
    cache: ClassifierCache,
) -> tuple[Settings, Scorer]:
    """Return the chosen settings and the fitted classifier, from the cache if they are there."""
    key = evaluator.cache_key(component)
    stored = cache.get(key)
    if stored is not None:
        settings, model = stored
        return settings, SCORERS[component.classifier.kind](model)
    settings = evaluator.choose_settings(component)
    scorer = evaluator.fit(component, settings)
    if scorer.model is not None:
        cache.put(key, settings, scorer.model)
    return settings, scorer


class _ModelAssembly:
    """The steps from the out-of-fold scores to the final model."""

    def __init__(
        self,
        context: TrainingContext,
        scores: Sequence[Scores],
        progress: ProgressCallback,
        cache: ClassifierCache,
    ) -> None:
        self._context = context
        self._recipe = context.recipe
        self._progress = progress
        self._cache = cache
        self._components = context.components
        self._scores = scores
        self._features = [
            context.fold_features(feature_set)
            for feature_set in context.recipe.features
        ]
        self._malignant: Labels = context.cross_validation.malignant

    def build(self, left_out_sites: LeftOutSites | None) -> FittedModel:
        components = self._fit_components()
        rule = self._recipe.fusion.rule
        folds = self._context.cross_validation.folds
        # The model's calibration and weights come from all out-of-fold scores. The scores for the
        # metrics are fused across folds: the fusion weights of a fold come from the other folds.
        probabilities = np.stack(
            [
                component.calibration.apply(scores)
                for component, scores in zip(components, self._scores, strict=True)
            ]
        )
        fusion = fit_fuser(rule, probabilities, self._malignant)
        fused = fusion.fuse(probabilities)
        out_of_fold = fuse_out_of_fold(rule, self._scores, self._malignant, folds)
        calibration = fit_sigmoid(fused, self._malignant)
        out_of_fold_novelty = self._out_of_fold_novelty()
        features = self._novelty_features(None)
        novelty = Novelty.fit(features)
        _, embedding = novelty.score_and_embed(features)
        novelty_limit = np.quantile(
            out_of_fold_novelty, self._recipe.decision.novelty_quantile
        )
        return FittedModel(
            recipe=self._recipe,
            extractors=tuple(
                self._context.extractor(index) for index in range(len(self._features))
            ),
            components=components,
            fusion=fusion,
            calibration=calibration,
            cutoff=youden_cutoff(fused, self._malignant),
            novelty=novelty,
            novelty_limit=float(novelty_limit),
            outliner=self._context.outliner(),
            training=self._training_summary(),
            metrics=self._metrics(out_of_fold),
            evidence=gather_evidence(
                out_of_fold,
                malignant=self._malignant,
                patients=self._context.table.groups,
                folds=folds,
                calibration=calibration,
                novelty=out_of_fold_novelty,
                embedding=embedding,
                left_out_sites=left_out_sites,
            ),
            frames=self._context.frames,
            belonging=self._fit_belonging(),
        )

    def _fit_belonging(self) -> Belonging | None:
        """Return what whole pictures belong; None if the recipe has no network."""
        table = self._context.frame_table()
        if table is None:
            return None
        return Belonging.fit(table, self._context.cross_validation.folds)

    def _fit_components(self) -> tuple[FittedComponent, ...]:
        with _final_evaluator(self._context) as evaluator:
            return tuple(
                self._fit_component(evaluator, component, scores)
                for component, scores in zip(
                    self._components, self._scores, strict=True
                )
            )

    def _fit_component(
        self, evaluator: FoldEvaluator, component: ComponentSpec, scores: Scores
    ) -> FittedComponent:
        settings, scorer = _fit_on_all_rows(
            self._context, evaluator, component, self._cache
        )
        facts = {"reader": self._recipe.label(component)}
        self._progress("final", 0.0, Message("progress-reader", facts), {})
        return FittedComponent(
            feature_sets=component.feature_sets,
            kind=component.classifier.kind,
            settings=settings,
            scorer=scorer,
            calibration=calibrate_component(scores, self._malignant),
        )

    def _novelty_features(self, fold_index: int | None) -> Table:
        """Return the features for novelty (N, D), of a fold or of the final model."""
        tables = []
        for features in self._features:
            if fold_index is None:
                tables.append(features.final_table())
            else:
                tables.append(features.fold_table(fold_index))
        return novelty_features(self._recipe.features, tables)

    def _out_of_fold_novelty(self) -> Scores:
        """Return the novelty (N,) of each training image for a model of the other folds."""
        scores = np.zeros(len(self._malignant))
        for number, fold in enumerate(self._context.cross_validation.folds):
            features = self._novelty_features(number)
            novelty = Novelty.fit(features[fold.training])
            scores[fold.test] = novelty.score(features[fold.test])
        return scores

    def _training_summary(self) -> TrainingSummary:
        table = self._context.table
        samples = table.samples
        patients = {sample.group for sample in samples if sample.patient is not None}
        sites = Counter(sample.site for sample in samples if sample.site)
        return TrainingSummary(
            images=len(samples),
            benign=int((~table.malignant).sum()),
            malignant=int(table.malignant.sum()),
            groups=len(set(table.groups)),
            skipped=len(table.skipped),
            fingerprint=fingerprint(samples),
            seed=self._context.seed,
            patients=len(patients),
            sites=dict(sorted(sites.items())),
        )

    def _metrics(self, out_of_fold: Scores) -> Mapping[str, float]:
        """Return the metrics of the fused out-of-fold scores (N,) and of each component."""
        folds = self._context.cross_validation.folds
        metrics = ensemble_metrics(out_of_fold, self._malignant, folds)
        for component, scores in zip(self._components, self._scores, strict=True):
            label = self._recipe.label(component)
            metrics |= component_metrics(label, scores, self._malignant)
        if self._context.outlines is not None:
            metrics |= held_out_dice(self._context.outlines, self._context.seed)
        self._progress("final", 1.0, Message("progress-validated"), metrics)
        return metrics
