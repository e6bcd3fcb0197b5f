"""Who judges in an experiment: which classifier reads which feature sets, and in which table it stands."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations

from shared.learning.validation.cross_validation import Reading
from shared.networks import WeightsFinder, get_network
from shared.recipes import (
    SUPERVISED_TUNINGS,
    Classifier,
    FeatureSet,
    NetworkClassifier,
    NetworkFeatures,
    Recipe,
    Tuning,
)
from shared.study.feasible import weights_problem
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
    """A row to be: where it stands, what it is called, and what reads which sets."""

    section: Section
    name: str
    facts: dict[str, str]
    reading: Reading


class Lineup:
    """The judges of a recipe, all of whose own feature sets can be made.

    Attributes
    ----------
    sets : the recipe's own feature sets, then those they are compared with, then tuned networks for their verdict alone
    left_out : what is looked at besides and cannot be made
    """

    def __init__(self, recipe: Recipe, weights: WeightsFinder, seed: int) -> None:
        self._recipe = recipe
        self._weights = weights
        self._seed = seed
        self.missing_rows: list[MissingRow] = []
        self._compared = self._feature_sets()
        self._networks = self._tuned_networks()
        self.sets: list[FeatureSet] = [*self._compared, *self._networks]

    def _feature_sets(self) -> list[FeatureSet]:
        """The recipe's own first, then what they are compared with."""
        own = list(self._recipe.features)
        compared = [
            *own,
            *(each for each in self._recipe.study.features if self._to_be_had(each)),
        ]
        return list(
            dict.fromkeys(
                [
                    *compared,
                    *(other for each in compared for other in self._variants(each)),
                ]
            )
        )

    def _tuned_networks(self) -> list[NetworkFeatures]:
        """Each network of these sets tuned in both ways, with nothing read but its own verdict."""
        networks = [
            each
            for each in self._compared
            if isinstance(each, NetworkFeatures) and self._tunable(each)
        ]
        tuned = [
            NetworkFeatures(
                each.network,
                (get_network(each.network).card.embedding,),
                tuning,
                _frozen(each, tuning),
            )
            for each in networks
            for tuning in SUPERVISED_TUNINGS
        ]
        return list(dict.fromkeys(tuned))

    def _to_be_had(self, features: FeatureSet) -> bool:
        problem = weights_problem(features, self._recipe, self._weights, self._seed)
        if problem:
            self.missing_rows.append(
                MissingRow(Section.FEATURES, feature_set_label(features), str(problem))
            )
        return problem is None

    def _variants(self, features: FeatureSet) -> Iterator[FeatureSet]:
        """The same tap as pre-trained and fine-tuned; of a set of many taps, frozen ones among them, the embedding."""
        if not isinstance(features, NetworkFeatures) or not self._tunable(features):
            return
        if len(features.taps) > 1:
            embedding = get_network(features.network).card.embedding
            features = replace(features, taps=(embedding,), flips=False, root=False)
        for tuning in (Tuning.NONE, Tuning.FINE_TUNE):
            yield replace(features, tuning=tuning)

    def _tunable(self, features: NetworkFeatures) -> bool:
        if self._recipe.tuning is None:
            return False
        return get_network(features.network).card.weights is not None

    def judges(self) -> Iterator[Judge]:
        for place, network in enumerate(self._networks, len(self._compared)):
            facts = {
                "network": network.network,
                "tuning": _how(network),
                "classifier": "softmax",
            }
            name = f"{network.network}, {TUNING_LABELS[network.tuning]} / softmax"
            yield Judge(Section.TUNED, name, facts, ((place,), NetworkClassifier()))
        for place, features in enumerate(self._compared):
            for classifier in self._recipe.concatenation_classifiers((features.name,)):
                name = f"{feature_set_label(features)} / {classifier.kind}"
                facts = {**_facts(features), "classifier": str(classifier.kind)}
                yield Judge(Section.FEATURES, name, facts, ((place,), classifier))
        yield from self._concatenations()

    def _concatenations(self) -> Iterator[Judge]:
        names = self._recipe.study.concatenate or tuple(
            each.name for each in self._recipe.features
        )
        if len(names) > MAX_CONCATENATED_SETS:
            problem = f"{len(names)} feature sets have too many combinations. Name up to {MAX_CONCATENATED_SETS} in `study.concatenate`."
            self.missing_rows.append(MissingRow(Section.SMALL_CONCATENATIONS, "all concatenations", problem))
            return
        places = [
            place
            for place, each in enumerate(self._recipe.features)
            if each.name in names
        ]
        for size in range(2, len(places) + 1):
            for sets in combinations(places, size):
                for classifier in self._recipe.concatenation_classifiers(
                    [self._recipe.features[sets[0]].name]
                ):
                    yield self._concatenation(sets, classifier)

    def _concatenation(self, sets: tuple[int, ...], classifier: Classifier) -> Judge:
        members = [feature_set_label(self.sets[place]) for place in sets]
        facts = {
            "members": " + ".join(members),
            "sets": str(len(sets)),
            "classifier": str(classifier.kind),
        }
        section = Section.SMALL_CONCATENATIONS if len(sets) in SMALL_SIZES else Section.LARGE_CONCATENATIONS
        return Judge(
            section,
            f"{' + '.join(members)} / {classifier.kind}",
            facts,
            (sets, classifier),
        )


def _frozen(features: NetworkFeatures, tuning: Tuning) -> str:
    return features.frozen if tuning is Tuning.FINE_TUNE else ""


def feature_set_label(features: FeatureSet) -> str:
    if not isinstance(features, NetworkFeatures):
        return features.name
    taps = features.tap if len(features.taps) < 3 else f"{len(features.taps)} taps"
    return f"{features.name} {taps}, {TUNING_LABELS[features.tuning]}"


def _facts(features: FeatureSet) -> dict[str, str]:
    facts = {"network": features.network, "tap": features.tap}
    return (
        facts | {"tuning": _how(features)}
        if isinstance(features, NetworkFeatures)
        else facts
    )


def _how(features: NetworkFeatures) -> str:
    words = TUNING_LABELS[features.tuning]
    behind = features.tuning is Tuning.FINE_TUNE and features.frozen
    return f"{words} behind {features.frozen}" if behind else words
