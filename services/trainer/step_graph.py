"""A recipe and a number of images as the graph of steps that trains them."""

from collections.abc import Mapping

from shared.domain.training.states import StepKind
from shared.domain.training.steps import (
    BundleArguments,
    EvaluationArguments,
    FeaturesArguments,
    FitArguments,
    FoldArguments,
    GateArguments,
    NetworkArguments,
    StepArguments,
    TableArguments,
    TuningArguments,
)
from shared.learning import tuning_keys
from shared.ledger.training.steps import NewStep
from shared.recipes import HandcraftedFeatures, NetworkFeatures, Recipe, Tuning

SHARD_IMAGES = 128
"""Images of one step of features: some seconds' work, so that trainers share it evenly and a crash costs little."""

EXPECTED_S: Mapping[str, float] = {
    StepKind.NETWORK: 0.06,
    StepKind.FEATURES: 0.03,
    StepKind.TABLE: 0.002,
    StepKind.TUNING: 0.1,
    StepKind.FOLD: 0.005,
    StepKind.FIT: 0.003,
    StepKind.BUNDLE: 0.02,
    StepKind.EVALUATION: 0.06,
    StepKind.GATE: 0.06,
}
"""Seconds for each image on two cores, where no earlier run of the recipe tells better; they only weigh progress."""

Pace = Mapping[tuple[str, str], float]


def plan(recipe: Recipe, images: int, tests: int, pace: Pace) -> list[NewStep]:
    """Every step of a run, in the order in which they are best taken up.

    Parameters
    ----------
    images, tests : to learn from, and in the locked test set
    pace : seconds for each image, by kind of step and feature set
    """
    return _Planner(recipe, images, tests, pace).steps()


class _Planner:
    def __init__(self, recipe: Recipe, images: int, tests: int, pace: Pace) -> None:
        self._recipe = recipe
        self._images = images
        self._tests = tests
        self._pace = pace
        self._folds = range(recipe.validation.folds)

    def steps(self) -> list[NewStep]:
        features = self._features()
        table = self._step(
            "table", TableArguments(images=self._images), _named(features)
        )
        tuned_by_fold, tuned_on_all = self._tunings()
        folds = [
            self._step(
                f"fold/{number}",
                FoldArguments(images=self._images, fold=number),
                ("table", *_named(tuned_by_fold)),
            )
            for number in self._folds
        ]
        fits = self._fits(_named(tuned_on_all))
        tunings = [*tuned_by_fold, *tuned_on_all]
        last = self._last(("table", *_named(tunings), *_named(folds), *_named(fits)))
        return [*features, table, *tunings, *folds, *fits, *last]

    def _features(self) -> list[NewStep]:
        return [
            step
            for place in range(len(self._recipe.features))
            for step in self._of_set(place)
        ]

    def _of_set(self, place: int) -> list[NewStep]:
        """The network of a feature set, where it is trained on phantoms, then the set's shards."""
        features = self._recipe.features[place]
        phantoms = self._recipe.phantoms
        network: list[NewStep] = []
        on_phantoms = (
            isinstance(features, NetworkFeatures) and features.tuning is Tuning.PHANTOMS
        )
        if on_phantoms and phantoms is not None:
            arguments = NetworkArguments(images=phantoms.count, feature_set=place)
            network = [self._step(f"network/{features.name}", arguments)]
        shards = []
        for number, start in enumerate(range(0, self._images, SHARD_IMAGES)):
            end = min(start + SHARD_IMAGES, self._images)
            shard = FeaturesArguments(
                images=end - start, feature_set=place, start=start, end=end
            )
            name = f"features/{features.name}/{number}"
            shards.append(self._step(name, shard, _named(network)))
        return [*network, *shards]

    def _tunings(self) -> tuple[list[NewStep], list[NewStep]]:
        """Each network without each fold's images, and each on all images after that."""
        by_fold: list[NewStep] = []
        on_all: list[NewStep] = []
        for number, (network, _, _) in enumerate(tuning_keys(self._recipe)):
            name = f"tuning/{number + 1}-{network}"
            steps = [
                self._step(f"{name}/{fold}", self._tuning(number, fold), ("table",))
                for fold in self._folds
            ]
            by_fold += steps
            on_all.append(
                self._step(f"{name}/final", self._tuning(number, None), _named(steps))
            )
        return by_fold, on_all

    def _tuning(self, number: int, fold: int | None) -> TuningArguments:
        return TuningArguments(images=self._images, tuning=number, fold=fold)

    def _fits(self, tuned: tuple[str, ...]) -> list[NewStep]:
        members = self._recipe.select_components(self._recipe.fusion.members)
        return [
            self._step(
                f"fit/{self._recipe.label(*reading)}",
                FitArguments(images=self._images, reading=number),
                ("table", *tuned),
            )
            for number, reading in enumerate(members)
        ]

    def _last(self, after: tuple[str, ...]) -> list[NewStep]:
        return [
            self._step("bundle", BundleArguments(images=self._images), after),
            self._step(
                "evaluation", EvaluationArguments(images=self._tests), ("bundle",)
            ),
            self._step("gate", GateArguments(images=self._tests), ("evaluation",)),
        ]

    def _step(
        self, name: str, arguments: StepArguments, after: tuple[str, ...] = ()
    ) -> NewStep:
        return NewStep(
            name=name,
            kind=arguments.kind,
            subject=arguments.to_json(),
            prerequisites=after,
            weight=max(self._seconds(arguments) * arguments.images, 0.1),
        )

    def _seconds(self, arguments: StepArguments) -> float:
        """Expected for each image: as in an earlier run of the recipe, else by how much the recipe asks for."""
        feature_set = ""
        if isinstance(arguments, NetworkArguments | FeaturesArguments):
            feature_set = str(arguments.feature_set)
        known = self._pace.get((arguments.kind, feature_set))
        if known is not None:
            return known
        return EXPECTED_S[arguments.kind] * self._effort(arguments)

    def _effort(self, arguments: StepArguments) -> float:
        """How much more than the usual a step is for each image."""
        if isinstance(arguments, FeaturesArguments):
            features = self._recipe.features[arguments.feature_set]
            return 0.5 if isinstance(features, HandcraftedFeatures) else 1.0
        tuning = self._recipe.tuning
        if isinstance(arguments, TuningArguments) and tuning is not None:
            return tuning.epochs * len(tuning.rates) * len(tuning.decays)
        return 1.0


def _named(steps: list[NewStep]) -> tuple[str, ...]:
    return tuple(step.name for step in steps)
