"""Runs the experiment of the papers on a folder of labelled images.

It fits networks tuned end to end, features with and without tuning, concatenations of features, and
ensembles. Lee et al. (2019) and Koh et al. (2020) judged on a test set. Here nested
cross-validation judges every image by a fit without the image and its patient, so a folder of any
size gives honest figures.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace

import numpy as np

from shared.errors import SeraError
from shared.learning import (
    FeatureCache,
    FittedModel,
    ProgressCallback,
    TrainingContext,
    assemble_model,
    fingerprint,
)
from shared.learning.classifiers.classifiers import Scores
from shared.learning.classifiers.fusion import fuse_out_of_fold
from shared.learning.tuning import TunedFeatures
from shared.learning.tuning.errors import TuningDiverged
from shared.learning.validation.cross_validation import (
    OutOfFoldScores,
    calibrate_out_of_fold,
    summarise_settings,
)
from shared.learning.validation.report import decide_out_of_fold
from shared.networks import WeightsFinder
from shared.recipes import (
    ComponentSpec,
    FusionRule,
    Recipe,
    RoiKind,
)
from shared.statistics import ConstantScores, ScoresInvalid
from shared.study.feasible import feasible_recipe
from shared.study.folder import LabelledFolder, reader_rows
from shared.study.leaving_sites_out import leave_sites_out, site_evidence
from shared.study.lineup import Judge, Lineup, feature_set_label
from shared.study.results import MissingRow, Row, Section, Study
from shared.study.roi_kinds import judge_roi_kinds

ENSEMBLE_RULES = (FusionRule.MEAN, FusionRule.VOTE)

MIN_OUTLINED_SHARE = 0.5
"""Share of images with an ROI from which the model is judged with other ROIs."""

SettingsByJudge = dict[str, dict[str, str]]


def run_experiment(
    folder: LabelledFolder,
    recipe: Recipe,
    weights: WeightsFinder,
    *,
    cache: FeatureCache,
    progress: ProgressCallback,
    seed: int = 0,
) -> tuple[Study, FittedModel]:
    """Compute every row that the recipe allows, and fit its final model on all images.

    A row that needs a missing weight file is not computed, and the study names it. Results that are
    in `cache` are not computed again.

    Raises
    ------
    WeightsMissing
        only if nothing of the recipe can be computed.
    SingleClass, TooFewSamples, NoReadableImages, FeaturesNotFinite
    """
    resolved = _resolved_recipe(recipe, folder)
    feasible, missing_rows = feasible_recipe(resolved, weights, seed)
    with TrainingContext(
        samples=folder.samples(),
        outlined=folder.outlined,
        recipe=feasible,
        weights=weights,
        cache=cache,
        seed=seed,
        progress=progress,
    ) as context:
        experiment = _Experiment(context, weights, progress)
        rows, settings = experiment.rows()
        component_scores = experiment.scores_of(context.components)
        sites_out = leave_sites_out(context, weights, progress)
        model = assemble_model(
            context,
            component_scores,
            progress,
            left_out_sites=site_evidence(context, sites_out),
        )
        table = context.table
        image_names = [folder.names_by_key[sample.key] for sample in table.samples]
        numbers = {image.name: number for number, image in enumerate(folder.images)}
        people = reader_rows(folder, [numbers[name] for name in image_names])
        skipped = [
            replace(image, key=folder.names_by_key[image.key])
            for image in table.skipped
        ]
        study = Study(
            recipe=feasible,
            images=tuple(image_names),
            malignant=table.malignant,
            groups=table.groups,
            sites=np.array([sample.site or "" for sample in table.samples], str),
            rows=(*rows, *people),
            folds=len(context.cross_validation.folds),
            seed=seed,
            fingerprint=fingerprint(table.samples),
            missing_rows=(*missing_rows, *experiment.missing_rows),
            skipped=tuple(skipped),
            settings=settings,
            sites_out=sites_out,
            roi_kinds=_roi_kinds(folder, context, component_scores, progress),
        )
    return study, model


def _resolved_recipe(recipe: Recipe, folder: LabelledFolder) -> Recipe:
    """Return the recipe for a folder, as its masks and ROIs allow."""
    return recipe.with_calipers(folder.outlined_share).with_outlines(
        masks=folder.count_masked, images=len(folder.images)
    )


def _roi_kinds(
    folder: LabelledFolder,
    context: TrainingContext,
    scores: Sequence[OutOfFoldScores],
    progress: ProgressCallback,
) -> Mapping[RoiKind, Row]:
    """Return the rows of the model with each kind of ROI; none if most images have no ROI."""
    if folder.outlined_share < MIN_OUTLINED_SHARE:
        return {}
    return judge_roi_kinds(context, scores, progress)


class _Experiment:
    """Computes the rows of a study. A row that cannot be computed is listed in `missing_rows`."""

    def __init__(
        self,
        context: TrainingContext,
        weights: WeightsFinder,
        progress: ProgressCallback,
    ) -> None:
        self._context = context
        self._recipe = context.recipe
        self._progress = progress
        self._lineup = Lineup(context.recipe, weights, context.seed)
        self.missing_rows = self._lineup.missing_rows
        self._scores: dict[ComponentSpec, OutOfFoldScores] = {}

    def rows(self) -> tuple[list[Row], SettingsByJudge]:
        """Return the rows of all sections except the readers', and the settings of the folds."""
        diverged_sets = self._diverged_sets()
        judges_by_component = {}
        for judge in self._lineup.judges():
            if self._can_be_fitted(judge, diverged_sets):
                judges_by_component[judge.component] = judge
        judges = list(judges_by_component.values())
        components = list(
            dict.fromkeys([*judges_by_component, *self._recipe.all_components()])
        )
        scores = self._context.score_out_of_fold(
            components, self._lineup.sets, self._progress
        )
        self._scores = dict(zip(components, scores, strict=True))
        judge_rows = [row for judge in judges for row in self._judge_rows(judge)]
        rows = [*judge_rows, *self._ensemble_rows(), *self._model_rows()]
        return rows, self._settings(judges)

    def scores_of(self, components: Sequence[ComponentSpec]) -> list[OutOfFoldScores]:
        """Return the scores of components whose rows are computed."""
        return [self._scores[component] for component in components]

    def _diverged_sets(self) -> dict[int, SeraError]:
        """Return the feature sets whose tuning diverged at every learning rate, by index.

        If such a set belongs to the recipe itself, the study ends with the error.
        """
        errors: dict[int, SeraError] = {}
        all_features = [
            self._context.fold_features(features) for features in self._lineup.sets
        ]
        for number, fold_features in enumerate(all_features):
            try:
                fold_features.prepare()
            except TuningDiverged as error:
                if number < len(self._recipe.features):
                    raise
                errors[number] = error
        return errors

    def _can_be_fitted(
        self, judge: Judge, diverged_sets: Mapping[int, SeraError]
    ) -> bool:
        for number in judge.component.feature_sets:
            if number in diverged_sets:
                problem = str(diverged_sets[number])
                self.missing_rows.append(
                    MissingRow(section=judge.section, name=judge.name, reason=problem)
                )
                return False
        return True

    def _judge_rows(self, judge: Judge) -> Iterator[Row]:
        scores = self._scores[judge.component].scores
        yield from self._rows_from_scores(
            judge.section, name=judge.name, facts=judge.facts, scores=scores
        )

    def _rows_from_scores(
        self, section: Section, *, name: str, facts: dict[str, str], scores: Scores
    ) -> Iterator[Row]:
        """Yield the row of these scores (N,).

        Nothing is yielded if the scores are all equal, or not finite, in some fold.
        """
        validation = self._context.cross_validation
        try:
            decisions = decide_out_of_fold(
                scores, validation.malignant, validation.folds
            )
            risks = calibrate_out_of_fold(
                scores, validation.malignant, validation.folds
            )
        except (ConstantScores, ScoresInvalid) as error:
            self.missing_rows.append(
                MissingRow(section=section, name=name, reason=str(error))
            )
            return
        yield Row(
            section=section,
            name=name,
            facts=facts,
            decisions=decisions,
            scores=scores,
            risks=risks,
            judgement_mask=np.ones(len(scores), bool),
        )

    def _ensemble_rows(self) -> Iterator[Row]:
        single_set_components = [
            component
            for component in self._recipe.all_components()
            if len(component.feature_sets) == 1
        ]
        for number, features in enumerate(self._recipe.features):
            components = [
                component
                for component in single_set_components
                if component.feature_sets == (number,)
            ]
            yield from self._rows_of_both_rules(
                f"(a) {feature_set_label(features)}", components
            )
        kinds = [component.classifier.kind for component in single_set_components]
        for kind in dict.fromkeys(kinds):
            components = [
                component
                for component in single_set_components
                if component.classifier.kind is kind
            ]
            yield from self._rows_of_both_rules(f"(b) {kind} of every set", components)
        yield from self._rows_of_both_rules("(c) all together", single_set_components)
        for ensemble in self._recipe.ensembles:
            yield from self._fused_rows(
                f"{ensemble.name}, as declared",
                self._recipe.select_components(ensemble.members),
                ensemble.rule,
            )

    def _rows_of_both_rules(
        self, name: str, components: Sequence[ComponentSpec]
    ) -> Iterator[Row]:
        if len(components) > 1:
            for rule in ENSEMBLE_RULES:
                yield from self._fused_rows(name, components, rule)

    def _fused_rows(
        self, name: str, components: Sequence[ComponentSpec], rule: FusionRule
    ) -> Iterator[Row]:
        yield from self._rows_from_scores(
            Section.ENSEMBLES,
            name=f"{name} / {rule}",
            facts=self._fusion_facts(components, rule),
            scores=self._fused_scores(components, rule),
        )

    def _model_rows(self) -> Iterator[Row]:
        fusion = self._recipe.fusion
        components = self._recipe.select_components(fusion.members)
        yield from self._rows_from_scores(
            Section.MODEL,
            name=self._recipe.name,
            facts=self._fusion_facts(components, fusion.rule),
            scores=self._fused_scores(components, fusion.rule),
        )

    def _fusion_facts(
        self, components: Sequence[ComponentSpec], rule: FusionRule
    ) -> dict[str, str]:
        labels = [self._recipe.label(component) for component in components]
        return {"members": ", ".join(labels), "rule": str(rule)}

    def _fused_scores(
        self, components: Sequence[ComponentSpec], rule: FusionRule
    ) -> Scores:
        validation = self._context.cross_validation
        scores = [out_of_fold.scores for out_of_fold in self.scores_of(components)]
        return fuse_out_of_fold(rule, scores, validation.malignant, validation.folds)

    def _settings(self, judges: Sequence[Judge]) -> SettingsByJudge:
        """Return the settings that the folds chose, by judge.

        The settings of a tuned network are its epochs, rate and decay.
        """
        settings: SettingsByJudge = {}
        for judge in judges:
            chosen_settings = self._scores[judge.component].settings
            settings[judge.name] = dict(summarise_settings(chosen_settings))
        for judge in judges:
            if judge.section is Section.TUNED:
                self._add_tuning_settings(settings, judge)
        return {judge: values for judge, values in settings.items() if values}

    def _add_tuning_settings(self, settings: SettingsByJudge, judge: Judge) -> None:
        features = self._lineup.sets[judge.component.feature_sets[0]]
        fold_features = self._context.fold_features(features)
        if not isinstance(fold_features, TunedFeatures):
            return
        hyperparameters = [
            asdict(fold_features.hyperparameters(fold))
            for fold in range(len(self._context.cross_validation.folds))
        ]
        settings[judge.name] = dict(summarise_settings(hyperparameters))
