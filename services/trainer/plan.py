"""A recipe and a number of images as the graph of steps that trains them."""

from collections.abc import Mapping

from shared.domain.training import StepKind
from shared.learning import tuning_keys
from shared.ledger.steps import NewStep
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
        self._recipe, self._images, self._tests, self._pace = recipe, images, tests, pace
        self._folds = range(recipe.validation.folds)

    def steps(self) -> list[NewStep]:
        features, tunings = self._features(), self._tunings()
        table = self._step("table", StepKind.TABLE, self._images, after=_named(features))
        followed = [step for step in tunings if step.subject["fold"] is not None]
        folds = [
            self._step(
                f"fold/{number}",
                StepKind.FOLD,
                self._images,
                ("table", *_named(followed)),
                fold=number,
            )
            for number in self._folds
        ]
        fits = self._fits()
        last = self._last(("table", *_named(tunings), *_named(folds), *_named(fits)))
        return [*features, table, *tunings, *folds, *fits, *last]

    def _features(self) -> list[NewStep]:
        return [step for place in range(len(self._recipe.features)) for step in self._of_set(place)]

    def _of_set(self, place: int) -> list[NewStep]:
        features = self._recipe.features[place]
        phantoms = self._recipe.phantoms
        network: list[NewStep] = []
        on_phantoms = isinstance(features, NetworkFeatures) and features.tuning is Tuning.PHANTOMS
        if on_phantoms and phantoms is not None:
            name = f"network/{features.name}"
            network = [self._step(name, StepKind.NETWORK, phantoms.count, set=place)]
        shards = []
        for number, start in enumerate(range(0, self._images, SHARD_IMAGES)):
            end = min(start + SHARD_IMAGES, self._images)
            span, name = (
                {"set": place, "from": start, "to": end},
                f"features/{features.name}/{number}",
            )
            shards.append(self._step(name, StepKind.FEATURES, end - start, _named(network), **span))
        return [*network, *shards]

    def _tunings(self) -> list[NewStep]:
        steps = []
        for number, (network, _, _) in enumerate(tuning_keys(self._recipe)):
            name = f"tuning/{number + 1}-{network}"
            of_one = [
                self._step(
                    f"{name}/{fold}",
                    StepKind.TUNING,
                    self._images,
                    ("table",),
                    tuning=number,
                    fold=fold,
                )
                for fold in self._folds
            ]
            final = self._step(
                f"{name}/final",
                StepKind.TUNING,
                self._images,
                _named(of_one),
                tuning=number,
                fold=None,
            )
            steps += [*of_one, final]
        return steps

    def _fits(self) -> list[NewStep]:
        finals = tuple(
            f"tuning/{number + 1}-{key[0]}/final"
            for number, key in enumerate(tuning_keys(self._recipe))
        )
        members = self._recipe.members(self._recipe.fusion.members)
        return [
            self._step(
                f"fit/{self._recipe.label(*reading)}",
                StepKind.FIT,
                self._images,
                ("table", *finals),
                reading=number,
            )
            for number, reading in enumerate(members)
        ]

    def _last(self, after: tuple[str, ...]) -> list[NewStep]:
        return [
            self._step("bundle", StepKind.BUNDLE, self._images, after),
            self._step("evaluation", StepKind.EVALUATION, self._tests, ("bundle",)),
            self._step("gate", StepKind.GATE, self._tests, ("evaluation",)),
        ]

    def _step(
        self,
        name: str,
        kind: StepKind,
        images: int,
        after: tuple[str, ...] = (),
        **subject: int | None,
    ) -> NewStep:
        known = self._pace.get((kind, str(subject.get("set", ""))))
        each = EXPECTED_S[kind] * self._effort(kind, subject) if known is None else known
        return NewStep(name, kind, {**subject, "images": images}, after, max(each * images, 0.1))

    def _effort(self, kind: StepKind, subject: Mapping[str, int | None]) -> float:
        """How much more than the usual a step is for each image."""
        place = subject.get("set")
        tuning = self._recipe.tuning
        if kind is StepKind.FEATURES and place is not None:
            handcrafted = isinstance(self._recipe.features[place], HandcraftedFeatures)
            return 0.5 if handcrafted else 1.0
        if kind is StepKind.TUNING and tuning is not None:
            return tuning.epochs * len(tuning.rates) * len(tuning.decays)
        return 1.0


def _named(steps: list[NewStep]) -> tuple[str, ...]:
    return tuple(step.name for step in steps)
