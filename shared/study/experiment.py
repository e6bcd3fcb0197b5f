"""The papers' experiment: networks tuned end to end, features with and without tuning, side by side, and ensembles.

Lee et al. (2019) and Koh et al. (2020) judged on a test set; here every image is judged by what was made without it and
its patient, in nested cross-validation, so that a folder of any size gives honest figures.
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
    recipe_framing,
)
from shared.learning.classifiers.classifiers import Scores
from shared.learning.classifiers.fusion import fuse_out_of_fold
from shared.learning.tuning import TunedFeatures
from shared.learning.tuning.errors import TuningDiverged
from shared.learning.validation.cross_validation import (
    OutOfFoldScores,
    Reading,
    summarise_settings,
    calibrate_out_of_fold,
)
from shared.learning.validation.report import decide_out_of_fold
from shared.networks import WeightsFinder
from shared.recipes import (
    FusionRule,
    Recipe,
)
from shared.statistics import ConstantScores, ScoresInvalid
from shared.study.feasible import feasible_recipe
from shared.study.folder import LabelledFolder, reader_rows
from shared.study.lineup import Judge, Lineup, feature_set_label
from shared.study.results import MissingRow, Row, Section, Study

ENSEMBLE_RULES = (FusionRule.MEAN, FusionRule.VOTE)


def run_experiment(
    folder: LabelledFolder,
    recipe: Recipe,
    weights: WeightsFinder,
    *,
    cache: FeatureCache,
    progress: ProgressCallback,
    seed: int = 0,
) -> tuple[Study, FittedModel]:
    """Everything the recipe can make of a folder, and its final model, fitted on all images.

    What a missing weight file keeps from being computed is left out and named. What is in `cache` is not computed
    again.

    Raises
    ------
    WeightsMissing
        only if nothing of the recipe is left.
    SingleClass, TooFewSamples, NoneReadable, FeaturesNotFinite
    """
    feasible, left_out = feasible_recipe(recipe.with_calipers(folder.masked_share), weights, seed)
    with TrainingContext(
        folder.samples(recipe_framing(feasible)), feasible, weights, cache, seed, progress
    ) as bench:
        experiment = _Experiment(bench, weights, progress)
        rows, settings = experiment.rows()
        model = assemble_model(bench, experiment.judged(bench.components), progress)
        kept = [folder.names_by_key[sample.key] for sample in bench.table.samples]
        numbers = {image.name: number for number, image in enumerate(folder.images)}
        people = reader_rows(folder, [numbers[name] for name in kept])
        study = Study(
            recipe=feasible,
            images=tuple(kept),
            malignant=bench.table.malignant,
            groups=bench.table.groups,
            sites=np.array([sample.site or "" for sample in bench.table.samples], str),
            rows=(*rows, *people),
            folds=len(bench.cross_validation.folds),
            seed=seed,
            fingerprint=fingerprint(bench.table.samples),
            missing_rows=(*left_out, *experiment.left_out),
            skipped=tuple(
                replace(each, key=folder.names_by_key[each.key])
                for each in bench.table.skipped
            ),
            settings=settings,
        )
    return study, model


class _Experiment:
    def __init__(
        self, bench: TrainingContext, weights: WeightsFinder, progress: ProgressCallback
    ) -> None:
        self._bench = bench
        self._recipe = bench.recipe
        self._progress = progress
        self._lineup = Lineup(bench.recipe, weights, bench.seed)
        self.left_out = self._lineup.missing_rows
        self._scores: dict[Reading, OutOfFoldScores] = {}

    def rows(self) -> tuple[list[Row], dict[str, dict[str, str]]]:
        """Rows of every section but people's, and what the folds chose for each."""
        lost = self._run_away()
        judges = list(
            {
                judge.reading: judge
                for judge in self._lineup.judges()
                if self._is_there(judge, lost)
            }.values()
        )
        readings = list(
            dict.fromkeys(
                [*(judge.reading for judge in judges), *self._recipe.all_components()]
            )
        )
        judged = self._bench.out_of_fold(readings, self._lineup.sets, self._progress)
        self._scores = dict(zip(readings, judged, strict=True))
        rows = [row for judge in judges for row in self._row(judge)]
        settings = {
            judge.name: dict(summarise_settings(self._scores[judge.reading].settings))
            for judge in judges
        }
        return [*rows, *self._ensembles(), *self._model()], self._with_courses(
            settings, judges
        )

    def judged(self, readings: Sequence[Reading]) -> list[OutOfFoldScores]:
        """Of readings whose rows are made."""
        return [self._scores[reading] for reading in readings]

    def _run_away(self) -> dict[int, SeraError]:
        """Sets whose tuning ran away at every rate, by number; of a set of the recipe's own that ends the study."""
        lost: dict[int, SeraError] = {}
        for place, columns in enumerate(
            [self._bench.fold_features(each) for each in self._lineup.sets]
        ):
            try:
                columns.prepare()
            except TuningDiverged as problem:
                if place < len(self._recipe.features):
                    raise
                lost[place] = problem
        return lost

    def _is_there(self, judge: Judge, lost: Mapping[int, SeraError]) -> bool:
        problems = [lost[place] for place in judge.reading[0] if place in lost]
        self.left_out += [
            MissingRow(judge.section, judge.name, str(problem)) for problem in problems[:1]
        ]
        return not problems

    def _row(self, judge: Judge) -> Iterator[Row]:
        yield from self._judged(
            judge.section, judge.name, judge.facts, self._scores[judge.reading].scores
        )

    def _judged(
        self, section: Section, name: str, facts: dict[str, str], scores: Scores
    ) -> Iterator[Row]:
        """The row, unless its scores are all equal or no numbers in some fold: then it is left out and named."""
        trial = self._bench.cross_validation
        try:
            called = decide_out_of_fold(scores, trial.malignant, trial.folds)
            risks = calibrate_out_of_fold(scores, trial.malignant, trial.folds)
        except (ConstantScores, ScoresInvalid) as problem:
            self.left_out.append(MissingRow(section, name, str(problem)))
            return
        yield Row(
            section, name, facts, called, scores, risks, np.ones(len(scores), bool)
        )

    def _ensembles(self) -> Iterator[Row]:
        own = [reading for reading in self._recipe.all_components() if len(reading[0]) == 1]
        for number, features in enumerate(self._recipe.features):
            yield from self._both_ways(
                f"(a) {feature_set_label(features)}", [r for r in own if r[0] == (number,)]
            )
        for kind in dict.fromkeys(reading[1].kind for reading in own):
            yield from self._both_ways(
                f"(b) {kind} of every set", [r for r in own if r[1].kind is kind]
            )
        yield from self._both_ways("(c) all together", own)
        for ensemble in self._recipe.ensembles:
            readings = list(self._recipe.select_components(ensemble.members))
            yield from self._fused(
                f"{ensemble.name}, as declared", readings, ensemble.rule
            )

    def _both_ways(self, name: str, readings: Sequence[Reading]) -> Iterator[Row]:
        if len(readings) > 1:
            for rule in ENSEMBLE_RULES:
                yield from self._fused(name, readings, rule)

    def _fused(
        self, name: str, readings: Sequence[Reading], rule: FusionRule
    ) -> Iterator[Row]:
        facts = {
            "members": ", ".join(self._recipe.label(*reading) for reading in readings),
            "rule": str(rule),
        }
        yield from self._judged(
            Section.ENSEMBLES, f"{name} / {rule}", facts, self._fusion(readings, rule)
        )

    def _model(self) -> Iterator[Row]:
        fusion = self._recipe.fusion
        readings = self._recipe.select_components(fusion.members)
        facts = {
            "members": ", ".join(self._recipe.label(*reading) for reading in readings),
            "rule": str(fusion.rule),
        }
        yield from self._judged(
            Section.MODEL, self._recipe.name, facts, self._fusion(readings, fusion.rule)
        )

    def _fusion(self, readings: Sequence[Reading], rule: FusionRule) -> Scores:
        trial = self._bench.cross_validation
        scores = [of_one.scores for of_one in self.judged(readings)]
        return fuse_out_of_fold(rule, scores, trial.malignant, trial.folds)

    def _with_courses(
        self, settings: dict[str, dict[str, str]], judges: Sequence[Judge]
    ) -> dict[str, dict[str, str]]:
        """Epochs, rate and decay of tuned networks, beside what their classifiers chose."""
        for judge in judges:
            if judge.section is Section.TUNED:
                columns = self._bench.fold_features(self._lineup.sets[judge.reading[0][0]])
                folds = range(len(self._bench.cross_validation.folds))
                if isinstance(columns, TunedFeatures):
                    courses = [asdict(columns.hyperparameters(number)) for number in folds]
                    settings[judge.name] = dict(summarise_settings(courses))
        return {name: chosen for name, chosen in settings.items() if chosen}
