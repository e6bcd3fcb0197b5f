"""A recipe: what to extract, what to fit, how to fuse and decide."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

from shared.recipes.errors import RecipeInvalid
from shared.recipes.parts import (
    ALL,
    SUPERVISED_TUNINGS,
    Calipers,
    Classifier,
    Comparisons,
    Decision,
    Ensemble,
    FeatureSet,
    Fusion,
    NetworkClassifier,
    PhantomTraining,
    Roi,
    TuningPlan,
    Validation,
)


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a model besides its data and the seed."""

    name: str
    version: str
    source: str
    features: tuple[FeatureSet, ...]
    classifiers: tuple[Classifier, ...]
    roi: Roi = field(default_factory=Roi)
    fusion: Fusion = field(default_factory=Fusion)
    decision: Decision = field(default_factory=Decision)
    validation: Validation = field(default_factory=Validation)
    phantoms: PhantomTraining | None = None
    tuning: TuningPlan | None = None
    concatenations: tuple[tuple[str, ...], ...] = ()
    """Feature sets that are read side by side, by their names."""
    ensembles: tuple[Ensemble, ...] = ()
    study: Comparisons = field(default_factory=Comparisons)

    def all_components(self) -> tuple[tuple[tuple[int, ...], Classifier], ...]:
        """Feature sets, by number, and classifier of each reader there may be; those of one set first."""
        number = {features.name: place for place, features in enumerate(self.features)}
        alone = [
            ((place,), c)
            for place in range(len(self.features))
            for c in self.classifiers
            if self._fits(place, c)
        ]
        together = [
            (tuple(number[name] for name in names), classifier)
            for names in self.concatenations
            for classifier in self.concatenation_classifiers(names)
        ]
        return tuple(alone + together)

    def concatenation_classifiers(self, names: Sequence[str]) -> tuple[Classifier, ...]:
        """What reads these feature sets side by side: the classifiers of the first of them."""
        return tuple(
            c
            for c in self.classifiers
            if not isinstance(c, NetworkClassifier) and reads_feature_set(c, names[0])
        )

    def label(self, sets: tuple[int, ...], classifier: Classifier) -> str:
        """What fusion calls a reader."""
        return (
            f"{'+'.join(self.features[place].name for place in sets)}/{classifier.kind}"
        )

    def select_components(
        self, named: tuple[str, ...]
    ) -> tuple[tuple[tuple[int, ...], Classifier], ...]:
        """The readers of a fusion or ensemble."""
        return tuple(
            reader
            for reader in self.all_components()
            if named == ALL or self.label(*reader) in named
        )

    def with_calipers(self, outlined: float) -> Self:
        """The same recipe for a data set of which that share of images came with an ROI."""
        if self.roi.calipers is not Calipers.AUTO:
            return self
        return replace(
            self,
            roi=replace(
                self.roi,
                calipers=Calipers.ALWAYS if outlined >= 0.5 else Calipers.NEVER,
            ),
        )

    def with_folds(self, count: int) -> Self:
        """The same recipe with that many folds of cross-validation."""
        return replace(self, validation=replace(self.validation, folds=count))

    def with_feature_sets(self, names: Collection[str]) -> Self:
        """The same recipe with these feature sets only; what is declared of others goes with them."""
        features = tuple(each for each in self.features if each.name in names)
        together = tuple(
            sets for sets in self.concatenations if set(sets) <= set(names)
        )
        kept = [
            (each, tuple(name for name in each.reads if name in (*names, *ALL)))
            for each in self.classifiers
        ]
        classifiers = tuple(replace(each, reads=left) for each, left in kept if left)
        rest = replace(
            self,
            features=features,
            classifiers=classifiers,
            concatenations=together,
            fusion=Fusion(),
            ensembles=(),
        )
        known = {rest.label(*reading) for reading in rest.all_components()}
        fusion = self.fusion
        ensembles = [each for each in self.ensembles if set(each.members) <= known]
        if fusion.members != ALL:
            fusion = replace(
                fusion,
                members=tuple(name for name in fusion.members if name in known) or ALL,
            )
        of_study = replace(
            self.study,
            concatenate=tuple(name for name in self.study.concatenate if name in names),
        )
        return replace(rest, fusion=fusion, ensembles=tuple(ensembles), study=of_study)

    def tuning_plan(self) -> TuningPlan:
        """How networks are tuned; raises `RecipeInvalid` where that is not said."""
        if self.tuning is None:
            raise RecipeInvalid(key="tuning", problem="tuned features need this table")
        return self.tuning

    def phantom_training(self) -> PhantomTraining:
        """How networks are trained on phantoms; raises `RecipeInvalid` where that is not said."""
        if self.phantoms is None:
            raise RecipeInvalid(
                key="phantoms", problem='`tuning = "phantoms"` needs this table'
            )
        return self.phantoms

    def _fits(self, place: int, classifier: Classifier) -> bool:
        features = self.features[place]
        tuned = getattr(features, "tuning", None) in SUPERVISED_TUNINGS
        return reads_feature_set(classifier, features.name) and (
            tuned or not isinstance(classifier, NetworkClassifier)
        )

    def as_table(self) -> dict[str, Any]:
        """Plain tables and lists, as `read_recipe` takes them."""
        table: dict[str, Any] = _without_gaps(asdict(self))
        return table


def reads_feature_set(classifier: Classifier, name: str) -> bool:
    """Whether a classifier is for the feature set of that name."""
    return classifier.reads == ALL or name in classifier.reads


def _without_gaps(value: Any) -> Any:
    """TOML has no null, and a list that holds nothing is left out."""
    if isinstance(value, dict):
        return {
            key: _without_gaps(entry)
            for key, entry in value.items()
            if entry not in (None, ())
        }
    return tuple(map(_without_gaps, value)) if isinstance(value, tuple) else value
