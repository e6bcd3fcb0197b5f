"""The lineup of an experiment: which classifier uses which feature sets, and in which table."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations

from shared.networks import WeightsFinder, get_network
from shared.recipes import (
    SUPERVISED_TUNINGS,
    Classifier,
    ComponentSpec,
    FeatureSet,
    NetworkClassifier,
    NetworkFeatures,
    Recipe,
    Tuning,
)
from shared.study.feasible import weights_error
from shared.study.results import MissingRow, Section

SMALL_SIZES = (2, 3)
MAX_CONCATENATED_SETS = 6
TUNING_LABELS = {
    Tuning.NONE: "not tuned",
    Tuning.TRANSFER: "last layer tuned",
    Tuning.FINE_TUNE: "fine-tuned",
    Tuning.PHANTOMS: "trained on phantoms",
}


@dataclass(frozen=True)
class Judge:
    """A row to compute: its table, its name, and the classifier with its feature sets."""

    section: Section
    name: str
    facts: dict[str, str]
    component: ComponentSpec


class Lineup:
    """The judges of a recipe. The weights of the recipe's own feature sets must be available.

    Attributes
    ----------
    sets : the recipe's own feature sets, then the sets for comparison, then the tuned networks
        that are judged by their own softmax
    missing_rows : the comparisons that cannot be made
    """

    def __init__(self, recipe: Recipe, weights: WeightsFinder, seed: int) -> None:
        self._recipe = recipe
        self._weights = weights
        self._seed = seed
        self.missing_rows: list[MissingRow] = []
        self._compared_sets = self._feature_sets()
        self._networks = self._tuned_networks()
        self.sets: list[FeatureSet] = [*self._compared_sets, *self._networks]

    def judges(self) -> Iterator[Judge]:
        yield from self._network_judges()
        yield from self._feature_set_judges()
        yield from self._concatenation_judges()

    def _feature_sets(self) -> list[FeatureSet]:
        """Return the recipe's own sets first, then the sets of its study, then variants of both."""
        sets = list(self._recipe.features)
        sets += [
            features
            for features in self._recipe.study.features
            if self._is_available(features)
        ]
        variants = []
        for features in sets:
            variants += self._variants(features)
        return list(dict.fromkeys([*sets, *variants]))

    def _tuned_networks(self) -> list[NetworkFeatures]:
        """Return each network of the compared sets, tuned in both ways.

        Only the network's own softmax is judged.
        """
        networks = []
        for features in self._compared_sets:
            if not isinstance(features, NetworkFeatures):
                continue
            if not self._is_tunable(features):
                continue
            embedding = get_network(features.network).card.embedding
            for tuning in SUPERVISED_TUNINGS:
                is_fine_tuned = tuning is Tuning.FINE_TUNE
                networks.append(
                    NetworkFeatures(
                        network=features.network,
                        taps=(embedding,),
                        tuning=tuning,
                        frozen=features.frozen if is_fine_tuned else "",
                    )
                )
        return list(dict.fromkeys(networks))

    def _is_available(self, features: FeatureSet) -> bool:
        problem = weights_error(features, self._recipe, self._weights, self._seed)
        if problem is None:
            return True
        self.missing_rows.append(
            MissingRow(
                section=Section.FEATURES,
                name=feature_set_label(features),
                reason=str(problem),
            )
        )
        return False

    def _variants(self, features: FeatureSet) -> list[FeatureSet]:
        """Return the same tap as pre-trained and as fine-tuned.

        If a set has many taps, some of them in frozen stages, its variants have only the embedding.
        """
        if not isinstance(features, NetworkFeatures):
            return []
        if not self._is_tunable(features):
            return []
        if len(features.taps) > 1:
            embedding = get_network(features.network).card.embedding
            features = replace(features, taps=(embedding,), flips=False, root=False)
        return [
            replace(features, tuning=Tuning.NONE),
            replace(features, tuning=Tuning.FINE_TUNE),
        ]

    def _is_tunable(self, features: NetworkFeatures) -> bool:
        if self._recipe.tuning is None:
            return False
        return get_network(features.network).card.weights is not None

    def _network_judges(self) -> Iterator[Judge]:
        first_number = len(self._compared_sets)
        for number, features in enumerate(self._networks, start=first_number):
            yield Judge(
                section=Section.TUNED,
                name=f"{features.network}, {TUNING_LABELS[features.tuning]} / softmax",
                facts={
                    "network": features.network,
                    "tuning": _tuning_text(features),
                    "classifier": "softmax",
                },
                component=ComponentSpec(
                    feature_sets=(number,), classifier=NetworkClassifier()
                ),
            )

    def _feature_set_judges(self) -> Iterator[Judge]:
        for number, features in enumerate(self._compared_sets):
            label = feature_set_label(features)
            for classifier in self._recipe.concatenation_classifiers((features.name,)):
                yield Judge(
                    section=Section.FEATURES,
                    name=f"{label} / {classifier.kind}",
                    facts={
                        **_feature_facts(features),
                        "classifier": str(classifier.kind),
                    },
                    component=ComponentSpec(
                        feature_sets=(number,), classifier=classifier
                    ),
                )

    def _concatenation_judges(self) -> Iterator[Judge]:
        names = self._recipe.study.concatenate
        if not names:
            names = tuple(features.name for features in self._recipe.features)
        if len(names) > MAX_CONCATENATED_SETS:
            problem = (
                f"{len(names)} feature sets have too many combinations. "
                f"Name up to {MAX_CONCATENATED_SETS} in `study.concatenate`."
            )
            self.missing_rows.append(
                MissingRow(
                    section=Section.SMALL_CONCATENATIONS,
                    name="all concatenations",
                    reason=problem,
                )
            )
            return
        numbers = [
            number
            for number, features in enumerate(self._recipe.features)
            if features.name in names
        ]
        for size in range(2, len(numbers) + 1):
            for set_numbers in combinations(numbers, size):
                first_name = self._recipe.features[set_numbers[0]].name
                for classifier in self._recipe.concatenation_classifiers([first_name]):
                    yield self._concatenation_judge(set_numbers, classifier)

    def _concatenation_judge(
        self, set_numbers: tuple[int, ...], classifier: Classifier
    ) -> Judge:
        labels = [feature_set_label(self.sets[number]) for number in set_numbers]
        members = " + ".join(labels)
        section = Section.LARGE_CONCATENATIONS
        if len(set_numbers) in SMALL_SIZES:
            section = Section.SMALL_CONCATENATIONS
        return Judge(
            section=section,
            name=f"{members} / {classifier.kind}",
            facts={
                "members": members,
                "sets": str(len(set_numbers)),
                "classifier": str(classifier.kind),
            },
            component=ComponentSpec(feature_sets=set_numbers, classifier=classifier),
        )


def feature_set_label(features: FeatureSet) -> str:
    """Return the name of a feature set in the tables, with its tap and tuning."""
    if not isinstance(features, NetworkFeatures):
        return features.name
    taps = features.tap if len(features.taps) < 3 else f"{len(features.taps)} taps"
    return f"{features.name} {taps}, {TUNING_LABELS[features.tuning]}"


def _feature_facts(features: FeatureSet) -> dict[str, str]:
    facts = {"network": features.network, "tap": features.tap}
    if isinstance(features, NetworkFeatures):
        facts["tuning"] = _tuning_text(features)
    return facts


def _tuning_text(features: NetworkFeatures) -> str:
    label = TUNING_LABELS[features.tuning]
    if features.tuning is Tuning.FINE_TUNE and features.frozen:
        return f"{label} behind {features.frozen}"
    return label
