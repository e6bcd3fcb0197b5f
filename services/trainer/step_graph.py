"""Plans a training run: the graph of steps for a recipe and a number of images."""

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
    OutlineArguments,
    StepArguments,
    TableArguments,
    TuningArguments,
)
from shared.learning import tuning_keys
from shared.ledger.training.steps import NewStep
from shared.recipes import HandcraftedFeatures, NetworkFeatures, Recipe, Tuning

SHARD_IMAGES = 128
"""Number of images of one features step. The step takes some seconds, so trainers share the work
evenly and a crash loses little work.
"""

EXPECTED_S: Mapping[str, float] = {
    StepKind.NETWORK: 0.06,
    StepKind.OUTLINE: 1.5,
    StepKind.FEATURES: 0.03,
    StepKind.TABLE: 0.002,
    StepKind.TUNING: 0.1,
    StepKind.FOLD: 0.005,
    StepKind.FIT: 0.003,
    StepKind.BUNDLE: 0.02,
    StepKind.EVALUATION: 0.06,
    StepKind.GATE: 0.06,
}
"""Seconds for each image on two cores. They are used if no earlier run of the recipe gives better
numbers, and only as weights of the progress.
"""

SMALL_OUTLINE_EFFORT = 0.05
"""Of an outline network for phantoms, which is smaller than the others."""

SecondsPerImage = Mapping[tuple[str, str], float]


def plan_steps(
    recipe: Recipe, images: int, test_images: int, seconds_per_image: SecondsPerImage
) -> list[NewStep]:
    """Every step of a run, in the order in which trainers should claim them.

    Parameters
    ----------
    images : number of training images
    test_images : number of images in the locked test set
    seconds_per_image : measured times, by kind of step and feature set
    """
    planner = _Planner(
        recipe=recipe,
        images=images,
        test_images=test_images,
        seconds_per_image=seconds_per_image,
    )
    return planner.steps()


class _Planner:
    def __init__(
        self,
        recipe: Recipe,
        images: int,
        test_images: int,
        seconds_per_image: SecondsPerImage,
    ) -> None:
        self._recipe = recipe
        self._images = images
        self._test_images = test_images
        self._seconds_per_image = seconds_per_image
        self._folds = range(recipe.validation.folds)

    def steps(self) -> list[NewStep]:
        outlines = self._outline_steps()
        features = self._features_steps(_names(outlines))
        table = self._step(
            "table", TableArguments(images=self._images), _names(features)
        )
        fold_tunings, final_tunings = self._tuning_steps()
        folds = [
            self._step(
                f"fold/{fold}",
                FoldArguments(images=self._images, fold=fold),
                ("table", *_names(fold_tunings)),
            )
            for fold in self._folds
        ]
        fits = self._fit_steps(_names(final_tunings))
        tunings = [*fold_tunings, *final_tunings]
        last = self._last_steps(_names([table, *tunings, *folds, *fits]))
        return [*outlines, *features, table, *tunings, *folds, *fits, *last]

    def _outline_steps(self) -> list[NewStep]:
        """Return the steps that train outline networks: without each fold, and on all images.

        One network of phantoms serves for all.
        """
        plan = self._recipe.outline
        if plan is None:
            return []
        if plan.phantoms:
            arguments = OutlineArguments(images=plan.phantoms, fold=None)
            return [self._step("outline/final", arguments)]
        steps = []
        for fold in (*range(plan.folds), None):
            arguments = OutlineArguments(images=self._images, fold=fold)
            name = "outline/final" if fold is None else f"outline/{fold}"
            steps.append(self._step(name, arguments))
        return steps

    def _features_steps(self, outlines: tuple[str, ...]) -> list[NewStep]:
        steps: list[NewStep] = []
        for index in range(len(self._recipe.features)):
            steps += self._feature_set_steps(index, outlines)
        return steps

    def _feature_set_steps(
        self, index: int, outlines: tuple[str, ...]
    ) -> list[NewStep]:
        """The network of a feature set if it is trained on phantoms, then the set's shards."""
        features = self._recipe.features[index]
        phantoms = self._recipe.phantoms
        network: list[NewStep] = []
        on_phantoms = (
            isinstance(features, NetworkFeatures) and features.tuning is Tuning.PHANTOMS
        )
        if on_phantoms and phantoms is not None:
            arguments = NetworkArguments(images=phantoms.count, feature_set=index)
            network = [self._step(f"network/{features.name}", arguments)]
        shards = []
        for number, start in enumerate(range(0, self._images, SHARD_IMAGES)):
            end = min(start + SHARD_IMAGES, self._images)
            shard = FeaturesArguments(
                images=end - start, feature_set=index, start=start, end=end
            )
            name = f"features/{features.name}/{number}"
            shards.append(self._step(name, shard, (*outlines, *_names(network))))
        return [*network, *shards]

    def _tuning_steps(self) -> tuple[list[NewStep], list[NewStep]]:
        """Return the steps that tune each network without the images of one fold, and the steps
        that tune each network on all images.
        """
        fold_tunings: list[NewStep] = []
        final_tunings: list[NewStep] = []
        for number, (network, _, _) in enumerate(tuning_keys(self._recipe)):
            name = f"tuning/{number + 1}-{network}"
            steps = [
                self._step(f"{name}/{fold}", self._tuning(number, fold), ("table",))
                for fold in self._folds
            ]
            fold_tunings += steps
            final_tuning = self._tuning(number, fold=None)
            final_tunings.append(
                self._step(f"{name}/final", final_tuning, _names(steps))
            )
        return fold_tunings, final_tunings

    def _tuning(self, number: int, fold: int | None) -> TuningArguments:
        return TuningArguments(images=self._images, tuning=number, fold=fold)

    def _fit_steps(self, tunings: tuple[str, ...]) -> list[NewStep]:
        components = self._recipe.select_components(self._recipe.fusion.members)
        steps = []
        for number, component in enumerate(components):
            name = f"fit/{self._recipe.label(component)}"
            arguments = FitArguments(images=self._images, reading=number)
            steps.append(self._step(name, arguments, ("table", *tunings)))
        return steps

    def _last_steps(self, prerequisites: tuple[str, ...]) -> list[NewStep]:
        bundle = BundleArguments(images=self._images)
        evaluation = EvaluationArguments(images=self._test_images)
        gate = GateArguments(images=self._test_images)
        return [
            self._step("bundle", bundle, prerequisites),
            self._step("evaluation", evaluation, ("bundle",)),
            self._step("gate", gate, ("evaluation",)),
        ]

    def _step(
        self, name: str, arguments: StepArguments, prerequisites: tuple[str, ...] = ()
    ) -> NewStep:
        expected_s = self._expected_s(arguments) * arguments.images
        return NewStep(
            name=name,
            kind=arguments.kind,
            subject=arguments.to_json(),
            prerequisites=prerequisites,
            weight=max(expected_s, 0.1),
        )

    def _expected_s(self, arguments: StepArguments) -> float:
        """Expected seconds for each image: measured in an earlier run of the recipe, or estimated
        from the recipe.
        """
        feature_set = ""
        if isinstance(arguments, NetworkArguments | FeaturesArguments):
            feature_set = str(arguments.feature_set)
        measured_s = self._seconds_per_image.get((arguments.kind, feature_set))
        if measured_s is not None:
            return measured_s
        return EXPECTED_S[arguments.kind] * self._effort(arguments)

    def _effort(self, arguments: StepArguments) -> float:
        """The cost of a step for each image, relative to the usual one of its kind.

        With an outline network, the features of each image are read with every kind of ROI.
        """
        outline = self._recipe.outline
        if isinstance(arguments, FeaturesArguments):
            features = self._recipe.features[arguments.feature_set]
            kind_effort = 0.5 if isinstance(features, HandcraftedFeatures) else 1.0
            return kind_effort * (1.0 if outline is None else len(outline.shares))
        if isinstance(arguments, OutlineArguments) and outline is not None:
            return SMALL_OUTLINE_EFFORT if outline.phantoms else 1.0
        tuning = self._recipe.tuning
        if isinstance(arguments, TuningArguments) and tuning is not None:
            return tuning.epochs * len(tuning.rates) * len(tuning.decays)
        return 1.0


def _names(steps: list[NewStep]) -> tuple[str, ...]:
    return tuple(step.name for step in steps)
