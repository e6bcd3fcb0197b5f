"""The papers' experiment: networks tuned end to end, features with and without tuning, side by side, and ensembles.

Lee et al. (2019) and Koh et al. (2020) judged on a test set; here every image is judged by what was made without it and
its patient, in nested cross-validation, so that a folder of any size gives honest figures.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from shared.errors import SeraError
from shared.learning import (
    FeatureCache,
    FittedModel,
    Progress,
    Workbench,
    assemble,
    build_extractor,
    fingerprint,
    framing,
)
from shared.learning.classifiers import Scores
from shared.learning.fusion import cross_fused
from shared.learning.report import decisions
from shared.learning.tuning.errors import TuningDiverged
from shared.learning.validation import OutOfFold, Reading, common, cross_fitted
from shared.networks import WeightsFinder, get_network
from shared.recipes import (
    LEARNT,
    Classifier,
    FeatureSet,
    FusionRule,
    Itself,
    NetworkFeatures,
    Recipe,
    Tuning,
)
from shared.statistics import ConstantScores, ScoresInvalid
from shared.study.folder import LabelledFolder, reader_rows
from shared.study.results import LeftOut, Row, Section, Study

FEW, MOST = (2, 3), 6
TUNING_WORDS = {
    Tuning.NONE: "not tuned",
    Tuning.TRANSFER: "last layer tuned",
    Tuning.FINE_TUNE: "fine-tuned",
    Tuning.PHANTOMS: "trained on phantoms",
}
RULES = (FusionRule.MEAN, FusionRule.VOTE)


def run_experiment(
    folder: LabelledFolder,
    recipe: Recipe,
    weights: WeightsFinder,
    *,
    cache: FeatureCache,
    progress: Progress,
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
    feasible, left_out = without_missing(recipe.framed(folder.outlined), weights, seed)
    with Workbench(folder.samples(framing(feasible)), feasible, weights, cache, seed, progress) as bench:
        experiment = _Experiment(bench, weights, progress)
        rows, settings = experiment.rows()
        model = assemble(bench, experiment.judged(bench.readings), progress)
        kept = [folder.names[sample.key] for sample in bench.table.samples]
        numbers = {image.name: number for number, image in enumerate(folder.images)}
        people = reader_rows(folder, [numbers[name] for name in kept])
        study = Study(
            recipe=feasible,
            images=tuple(kept),
            malignant=bench.table.malignant,
            groups=bench.table.groups,
            sites=np.array([sample.site or "" for sample in bench.table.samples], str),
            rows=(*rows, *people),
            folds=len(bench.trial.folds),
            seed=seed,
            fingerprint=fingerprint(bench.table.samples),
            left_out=(*left_out, *experiment.left_out),
            skipped=tuple(replace(each, key=folder.names[each.key]) for each in bench.table.skipped),
            settings=settings,
        )
    return study, model


def without_missing(recipe: Recipe, weights: WeightsFinder, seed: int) -> tuple[Recipe, list[LeftOut]]:
    """The recipe without the feature sets whose weights are not to be had, and what that leaves out."""
    problems = {each: problem for each in recipe.features if (problem := _problem(each, recipe, weights, seed))}
    present = [each for each in recipe.features if each not in problems]
    if not present:
        raise next(iter(problems.values()))
    left_out = [LeftOut(Section.FEATURES, each.name, str(problem)) for each, problem in problems.items()]
    reduced = recipe.keeping([each.name for each in present]) if problems else recipe
    gone = {each.name for each in problems}
    for section, named in _declared(recipe):
        if missing := sorted(gone & {part for name in named for part in name.rpartition("/")[0].split("+")}):
            left_out.append(LeftOut(section, ", ".join(named), f"It needs {', '.join(missing)}, left out above."))
    return reduced, left_out


def _problem(features: FeatureSet, recipe: Recipe, weights: WeightsFinder, seed: int) -> SeraError | None:
    """Why a feature set's weights cannot be had."""
    if not isinstance(features, NetworkFeatures) or features.tuning is Tuning.PHANTOMS:
        return None
    try:
        build_extractor(features, recipe, weights, seed)
    except SeraError as problem:
        return problem
    return None


def _declared(recipe: Recipe) -> Iterator[tuple[Section, tuple[str, ...]]]:
    """Members of what the recipe declares, by the table they would fill."""
    yield Section.MODEL, tuple(recipe.label(*reading) for reading in recipe.members(recipe.fusion.members))
    for ensemble in recipe.ensembles:
        yield Section.ENSEMBLES, ensemble.members


@dataclass(frozen=True)
class _Judge:
    """A row to be: where it stands, what it is called, and what reads which sets."""

    section: Section
    name: str
    facts: dict[str, str]
    reading: Reading


class _Experiment:
    def __init__(self, bench: Workbench, weights: WeightsFinder, progress: Progress) -> None:
        self._bench, self._recipe, self._progress = bench, bench.recipe, progress
        self._weights = weights
        self.left_out: list[LeftOut] = []
        self._compared = self._feature_sets()
        self._networks = self._tuned_networks()
        self._sets: list[FeatureSet] = [*self._compared, *self._networks]
        self._scores: dict[Reading, OutOfFold] = {}

    def rows(self) -> tuple[list[Row], dict[str, dict[str, str]]]:
        """Rows of every section but people's, and what the folds chose for each."""
        lost = self._run_away()
        judges = list({judge.reading: judge for judge in self._judges() if self._is_there(judge, lost)}.values())
        readings = list(dict.fromkeys([*(judge.reading for judge in judges), *self._recipe.reading()]))
        judged = self._bench.out_of_fold(readings, self._sets, self._progress)
        self._scores = dict(zip(readings, judged, strict=True))
        rows = [row for judge in judges for row in self._row(judge)]
        settings = {judge.name: dict(common(self._scores[judge.reading].settings)) for judge in judges}
        return [*rows, *self._ensembles(), *self._model()], self._with_courses(settings, judges)

    def judged(self, readings: Sequence[Reading]) -> list[OutOfFold]:
        """Of readings whose rows are made."""
        return [self._scores[reading] for reading in readings]

    def _feature_sets(self) -> list[FeatureSet]:
        """The recipe's own first, then what they are compared with."""
        own = list(self._recipe.features)
        compared = [*own, *(each for each in self._recipe.study.features if self._to_be_had(each))]
        return list(dict.fromkeys([*compared, *(other for each in compared for other in self._variants(each))]))

    def _tuned_networks(self) -> list[NetworkFeatures]:
        """Each network of these sets tuned in both ways, with nothing read but its own verdict."""
        networks = [each for each in self._compared if self._tunable(each)]
        tuned = [
            NetworkFeatures(each.network, (get_network(each.network).card.embedding,), tuning, _frozen(each, tuning))
            for each in networks
            for tuning in LEARNT
        ]
        return list(dict.fromkeys(tuned))

    def _to_be_had(self, features: FeatureSet) -> bool:
        problem = _problem(features, self._recipe, self._weights, self._bench.seed)
        if problem:
            self.left_out.append(LeftOut(Section.FEATURES, _named(features), str(problem)))
        return problem is None

    def _variants(self, features: FeatureSet) -> Iterator[FeatureSet]:
        """The same tap as pre-trained and fine-tuned; of a set of many taps, frozen ones among them, the embedding."""
        if not self._tunable(features):
            return
        if len(features.taps) > 1:
            embedding = get_network(features.network).card.embedding
            features = replace(features, taps=(embedding,), flips=False, root=False)
        for tuning in (Tuning.NONE, Tuning.FINE_TUNE):
            yield replace(features, tuning=tuning)

    def _tunable(self, features: FeatureSet) -> bool:
        if self._recipe.tuning is None or not isinstance(features, NetworkFeatures):
            return False
        return get_network(features.network).card.weights is not None

    def _judges(self) -> Iterator[_Judge]:
        for place, features in enumerate(self._networks, len(self._compared)):
            facts = {"network": features.network, "tuning": _how(features), "classifier": "softmax"}
            name = f"{features.network}, {TUNING_WORDS[features.tuning]} / softmax"
            yield _Judge(Section.TUNED, name, facts, ((place,), Itself()))
        for place, features in enumerate(self._compared):
            for classifier in self._recipe.of_concatenation((features.name,)):
                name = f"{_named(features)} / {classifier.kind}"
                facts = {**_facts(features), "classifier": str(classifier.kind)}
                yield _Judge(Section.FEATURES, name, facts, ((place,), classifier))
        yield from self._concatenations()

    def _concatenations(self) -> Iterator[_Judge]:
        names = self._recipe.study.concatenate or tuple(each.name for each in self._recipe.features)
        if len(names) > MOST:
            problem = f"{len(names)} feature sets have too many combinations. Name up to {MOST} in `study.concatenate`."
            self.left_out.append(LeftOut(Section.FEW, "all concatenations", problem))
            return
        places = [place for place, each in enumerate(self._recipe.features) if each.name in names]
        for size in range(2, len(places) + 1):
            for sets in combinations(places, size):
                for classifier in self._recipe.of_concatenation([self._recipe.features[sets[0]].name]):
                    yield self._concatenation(sets, classifier)

    def _concatenation(self, sets: tuple[int, ...], classifier: Classifier) -> _Judge:
        members = [_named(self._sets[place]) for place in sets]
        facts = {"members": " + ".join(members), "sets": str(len(sets)), "classifier": str(classifier.kind)}
        section = Section.FEW if len(sets) in FEW else Section.MANY
        return _Judge(section, f"{' + '.join(members)} / {classifier.kind}", facts, (sets, classifier))

    def _run_away(self) -> dict[int, SeraError]:
        """Sets whose tuning ran away at every rate, by number; of a set of the recipe's own that ends the study."""
        lost: dict[int, SeraError] = {}
        for place, columns in enumerate([self._bench.columns(each) for each in self._sets]):
            try:
                columns.prepare()
            except TuningDiverged as problem:
                if place < len(self._recipe.features):
                    raise
                lost[place] = problem
        return lost

    def _is_there(self, judge: _Judge, lost: Mapping[int, SeraError]) -> bool:
        problems = [lost[place] for place in judge.reading[0] if place in lost]
        self.left_out += [LeftOut(judge.section, judge.name, str(problem)) for problem in problems[:1]]
        return not problems

    def _row(self, judge: _Judge) -> Iterator[Row]:
        yield from self._judged(judge.section, judge.name, judge.facts, self._scores[judge.reading].scores)

    def _judged(self, section: Section, name: str, facts: dict[str, str], scores: Scores) -> Iterator[Row]:
        """The row, unless its scores are all equal or no numbers in some fold: then it is left out and named."""
        trial = self._bench.trial
        try:
            called = decisions(scores, trial.malignant, trial.folds)
            risks = cross_fitted(scores, trial.malignant, trial.folds)
        except (ConstantScores, ScoresInvalid) as problem:
            self.left_out.append(LeftOut(section, name, str(problem)))
            return
        yield Row(section, name, facts, called, scores, risks, np.ones(len(scores), bool))

    def _ensembles(self) -> Iterator[Row]:
        own = [reading for reading in self._recipe.reading() if len(reading[0]) == 1]
        for number, features in enumerate(self._recipe.features):
            yield from self._both_ways(f"(a) {_named(features)}", [r for r in own if r[0] == (number,)])
        for kind in dict.fromkeys(reading[1].kind for reading in own):
            yield from self._both_ways(f"(b) {kind} of every set", [r for r in own if r[1].kind is kind])
        yield from self._both_ways("(c) all together", own)
        for ensemble in self._recipe.ensembles:
            readings = list(self._recipe.members(ensemble.members))
            yield from self._fused(f"{ensemble.name}, as declared", readings, ensemble.rule)

    def _both_ways(self, name: str, readings: Sequence[Reading]) -> Iterator[Row]:
        if len(readings) > 1:
            for rule in RULES:
                yield from self._fused(name, readings, rule)

    def _fused(self, name: str, readings: Sequence[Reading], rule: FusionRule) -> Iterator[Row]:
        facts = {"members": ", ".join(self._recipe.label(*reading) for reading in readings), "rule": str(rule)}
        yield from self._judged(Section.ENSEMBLES, f"{name} / {rule}", facts, self._fusion(readings, rule))

    def _model(self) -> Iterator[Row]:
        fusion = self._recipe.fusion
        readings = self._recipe.members(fusion.members)
        facts = {
            "members": ", ".join(self._recipe.label(*reading) for reading in readings),
            "rule": str(fusion.rule),
        }
        yield from self._judged(Section.MODEL, self._recipe.name, facts, self._fusion(readings, fusion.rule))

    def _fusion(self, readings: Sequence[Reading], rule: FusionRule) -> Scores:
        trial = self._bench.trial
        scores = [of_one.scores for of_one in self.judged(readings)]
        return cross_fused(rule, scores, trial.malignant, trial.folds)

    def _with_courses(self, settings: dict[str, dict[str, str]], judges: Sequence[_Judge]) -> dict[str, dict[str, str]]:
        """Epochs, rate and decay of tuned networks, beside what their classifiers chose."""
        for judge in judges:
            if judge.section is Section.TUNED:
                columns = self._bench.columns(self._sets[judge.reading[0][0]])
                courses = [vars(columns.course(number)) for number in range(len(self._bench.trial.folds))]
                settings[judge.name] = dict(common(courses))
        return {name: chosen for name, chosen in settings.items() if chosen}


def _frozen(features: NetworkFeatures, tuning: Tuning) -> str:
    return features.frozen if tuning is Tuning.FINE_TUNE else ""


def _named(features: FeatureSet) -> str:
    if not isinstance(features, NetworkFeatures):
        return features.name
    taps = features.tap if len(features.taps) < 3 else f"{len(features.taps)} taps"
    return f"{features.name} {taps}, {TUNING_WORDS[features.tuning]}"


def _facts(features: FeatureSet) -> dict[str, str]:
    facts = {"network": features.network, "tap": features.tap}
    return facts | {"tuning": _how(features)} if isinstance(features, NetworkFeatures) else facts


def _how(features: NetworkFeatures) -> str:
    words = TUNING_WORDS[features.tuning]
    behind = features.tuning is Tuning.FINE_TUNE and features.frozen
    return f"{words} behind {features.frozen}" if behind else words
