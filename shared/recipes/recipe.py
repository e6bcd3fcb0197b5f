"""A recipe: which features to extract, which classifiers to fit, and how to fuse and decide."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

from shared.recipes.errors import RecipeInvalid
from shared.recipes.parts import (
    ALL,
    SUPERVISED_TUNINGS,
    Calipers,
    Classifier,
    Comparisons,
    ComponentSpec,
    Decision,
    Ensemble,
    FeatureSet,
    Fusion,
    NetworkClassifier,
    NetworkFeatures,
    OutlinePlan,
    PhantomTraining,
    Roi,
    TuningPlan,
    Validation,
)

CONCATENATION_SIGN = "+"
"""Between the names of the feature sets of a concatenation, in labels and in `reads`."""
MIN_MASKS = 40
MIN_MASK_SHARE = 0.5
"""Number and share of masks in a data set from which an outline network is trained."""


@dataclass(frozen=True)
class Recipe:
    """Everything that determines a model besides its data and the seed."""

    name: str
    version: str
    source: str
    features: tuple[FeatureSet, ...]
    classifiers: tuple[Classifier, ...]
    roi: Roi = field(default_factory=Roi)
    outline: OutlinePlan | None = None
    fusion: Fusion = field(default_factory=Fusion)
    decision: Decision = field(default_factory=Decision)
    validation: Validation = field(default_factory=Validation)
    phantoms: PhantomTraining | None = None
    tuning: TuningPlan | None = None
    concatenations: tuple[tuple[str, ...], ...] = ()
    """Names of the feature sets of each concatenation."""
    ensembles: tuple[Ensemble, ...] = ()
    study: Comparisons = field(default_factory=Comparisons)

    def all_components(self) -> tuple[ComponentSpec, ...]:
        """Return every possible component.

        Components of single feature sets come first, then the concatenations.
        """
        components = []
        for index, features in enumerate(self.features):
            for classifier in self.classifiers:
                if _is_applicable(classifier, features):
                    components.append(ComponentSpec((index,), classifier))
        index_by_name = {
            features.name: index for index, features in enumerate(self.features)
        }
        for names in self.concatenations:
            feature_sets = tuple(index_by_name[name] for name in names)
            for classifier in self.concatenation_classifiers(names):
                components.append(ComponentSpec(feature_sets, classifier))
        return tuple(components)

    def concatenation_classifiers(self, names: Sequence[str]) -> tuple[Classifier, ...]:
        """Return the classifiers for a concatenation of these feature sets.

        They are those that read it by its name, such as `a+b`; else the classifiers of the first
        set.
        """
        candidates = [
            classifier
            for classifier in self.classifiers
            if not isinstance(classifier, NetworkClassifier)
        ]
        joined = CONCATENATION_SIGN.join(names)
        own = tuple(
            classifier for classifier in candidates if joined in classifier.reads
        )
        return own or tuple(
            classifier
            for classifier in candidates
            if reads_feature_set(classifier, names[0])
        )

    def label(self, component: ComponentSpec) -> str:
        """Return a component's name in `Fusion.members`, in metrics and in messages."""
        names = [self.features[index].name for index in component.feature_sets]
        return f"{CONCATENATION_SIGN.join(names)}/{component.classifier.kind}"

    def select_components(self, labels: tuple[str, ...]) -> tuple[ComponentSpec, ...]:
        """Return the components with these labels: the members of a fusion or an ensemble.

        The label `all` selects every component.
        """
        components = self.all_components()
        if labels == ALL:
            return components
        return tuple(
            component for component in components if self.label(component) in labels
        )

    def with_calipers(self, outlined_share: float) -> Self:
        """Return the recipe for a data set, with `Calipers.AUTO` resolved.

        Parameters
        ----------
        outlined_share : share of the data set's images that have an ROI
        """
        if self.roi.calipers is not Calipers.AUTO:
            return self
        calipers = Calipers.ALWAYS if outlined_share >= 0.5 else Calipers.NEVER
        return replace(self, roi=replace(self.roi, calipers=calipers))

    def with_outlines(self, masks: int, images: int) -> Self:
        """Return the recipe for a data set: without an outline network if masks are too few.

        A network that is trained on phantoms needs none.

        Parameters
        ----------
        masks : number of its images that have a mask
        images : number of all its images
        """
        if self.outline is not None and self.outline.phantoms:
            return self
        has_enough = masks >= MIN_MASKS and masks >= MIN_MASK_SHARE * images
        return self if has_enough else replace(self, outline=None)

    def with_folds(self, count: int) -> Self:
        """Return the recipe with another number of outer folds."""
        return replace(self, validation=replace(self.validation, folds=count))

    def with_feature_sets(self, names: Collection[str]) -> Self:
        """Return the recipe with these feature sets only.

        Classifiers, concatenations, fusion members and ensembles of other sets are dropped. A
        fusion that loses all its members takes all components.
        """
        reduced = replace(
            self,
            features=tuple(
                features for features in self.features if features.name in names
            ),
            classifiers=self._classifiers_of(names),
            concatenations=tuple(
                sets for sets in self.concatenations if set(sets) <= set(names)
            ),
            fusion=Fusion(),
            ensembles=(),
        )
        labels = {reduced.label(component) for component in reduced.all_components()}
        concatenate = tuple(name for name in self.study.concatenate if name in names)
        return replace(
            reduced,
            fusion=self._fusion_of(labels),
            ensembles=tuple(
                ensemble
                for ensemble in self.ensembles
                if set(ensemble.members) <= labels
            ),
            study=replace(self.study, concatenate=concatenate),
        )

    def tuning_plan(self) -> TuningPlan:
        """Return the settings of tuning. Raises `RecipeInvalid` if the recipe has no such table."""
        if self.tuning is None:
            raise RecipeInvalid(key="tuning", problem="tuned features need this table")
        return self.tuning

    def phantom_training(self) -> PhantomTraining:
        """Return the settings of training on phantoms.

        Raises `RecipeInvalid` without such a table.
        """
        if self.phantoms is None:
            raise RecipeInvalid(
                key="phantoms", problem='`tuning = "phantoms"` needs this table'
            )
        return self.phantoms

    def as_table(self) -> dict[str, Any]:
        """Return plain tables and lists, in the form that `read_recipe` accepts."""
        return _without_empty_entries(asdict(self))

    def _classifiers_of(self, names: Collection[str]) -> tuple[Classifier, ...]:
        """Return the classifiers of these feature sets, with `reads` reduced to these sets."""
        classifiers: list[Classifier] = []
        for classifier in self.classifiers:
            reads = tuple(
                name
                for name in classifier.reads
                if name in ALL or set(name.split(CONCATENATION_SIGN)) <= set(names)
            )
            if reads:
                classifiers.append(replace(classifier, reads=reads))
        return tuple(classifiers)

    def _fusion_of(self, labels: Collection[str]) -> Fusion:
        """Return the fusion, reduced to the members with one of these labels."""
        if self.fusion.members == ALL:
            return self.fusion
        members = tuple(label for label in self.fusion.members if label in labels)
        return replace(self.fusion, members=members or ALL)


def reads_feature_set(classifier: Classifier, name: str) -> bool:
    """Return whether a classifier is fitted on the feature set of this name."""
    return classifier.reads == ALL or name in classifier.reads


def _is_applicable(classifier: Classifier, features: FeatureSet) -> bool:
    """Return whether a classifier applies to a feature set.

    A network is a classifier only if it is tuned on the data set's labels.
    """
    if not reads_feature_set(classifier, features.name):
        return False
    if not isinstance(classifier, NetworkClassifier):
        return True
    return (
        isinstance(features, NetworkFeatures) and features.tuning in SUPERVISED_TUNINGS
    )


def _without_empty_entries(table: Mapping[str, object]) -> dict[str, object]:
    """Remove null values and empty lists: TOML has no null, and the parser refuses empty lists."""
    return {
        key: _plain_entry(entry)
        for key, entry in table.items()
        if entry not in (None, ())
    }


def _plain_entry(entry: object) -> object:
    if isinstance(entry, dict):
        return _without_empty_entries(entry)
    if isinstance(entry, tuple):
        return tuple(map(_plain_entry, entry))
    return entry
