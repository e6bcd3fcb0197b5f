"""A data set on the table: the images that can be read, the folds, and the numbers of any feature set."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from shared.imaging.crop import Framing
from shared.learning.cache import FeatureCache
from shared.learning.columns import Columns, Fixed
from shared.learning.errors import FeaturesNotFinite, NoneReadable
from shared.learning.extractors import Extractor, HandcraftedExtractor, NetworkExtractor
from shared.learning.folds import check_enough, split
from shared.learning.progress import Progress, silent
from shared.learning.sample import Sample, check_classes
from shared.learning.scratch import train_on_phantoms
from shared.learning.table import FeatureTable, gather
from shared.learning.tuning import Body, TunedColumns, Tuning
from shared.learning.tuning.tuned import Ground
from shared.learning.validation import OutOfFold, Reading, Trial, out_of_fold
from shared.networks import TapNetwork, WeightsFinder, get_network, pretrained_stages
from shared.recipes import LEARNT, Calipers, FeatureSet, HandcraftedFeatures, NetworkFeatures, Recipe
from shared.recipes import Tuning as How


class Workbench:
    """Everything that readers of a data set share.

    Raises
    ------
    SingleClass, TooFewSamples, NoneReadable, WeightsMissing, WeightsUnreadable, NetworkUnknown, TapUnknown
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        recipe: Recipe,
        weights: WeightsFinder,
        keep: FeatureCache,
        seed: int,
        progress: Progress = silent,
    ) -> None:
        check_classes(samples)
        self.recipe, self.seed = recipe, seed
        self._weights, self._keep, self._progress = weights, keep, progress
        self._extractors = [build_extractor(each, recipe, weights, seed, progress) for each in recipe.features]
        self.table = gather(samples, self._extractors, keep, framing(recipe), progress)
        self.trial = _trial(self.table, recipe, seed)
        self._tunings: dict[tuple[str, How, str], Tuning] = {}
        self._columns: dict[FeatureSet, Columns] = {}
        for each, extractor, numbers in zip(recipe.features, self._extractors, self.table.features, strict=True):
            self._columns[pretrained(each)] = Fixed(extractor.digest, numbers)

    def __enter__(self) -> "Workbench":
        return self

    def __exit__(self, *_: object) -> None:
        for tuning in self._tunings.values():
            tuning.close()

    @property
    def readings(self) -> tuple[Reading, ...]:
        """Those that take part in the recipe's fusion."""
        return self.recipe.members(self.recipe.fusion.members)

    def columns(self, features: FeatureSet) -> Columns:
        """A feature set's numbers for all images; raises `FeaturesNotFinite` where one image has none."""
        if features not in self._columns:
            self._columns[features] = self._tuned(features) if _learnt(features) else self._gathered(features)
        return self._columns[features]

    def extractor(self, place: int) -> Extractor:
        """What a bundle computes the recipe's feature set of that number with."""
        features = self.recipe.features[place]
        return self.columns(features).extractor() if _learnt(features) else self._extractors[place]

    def out_of_fold(
        self, readings: Sequence[Reading], sets: Sequence[FeatureSet], progress: Progress
    ) -> list[OutOfFold]:
        """Scores of readings, whose numbers count `sets`."""
        columns = [self.columns(each) for each in sets]
        for place in sorted({place for sets, _ in readings for place in sets}):
            columns[place].prepare()
        return out_of_fold(readings, columns, self.trial, self._keep, progress)

    def _gathered(self, features: FeatureSet) -> Fixed:
        extractor = build_extractor(features, self.recipe, self._weights, self.seed, self._progress)
        table = gather(self.table.samples, [extractor], self._keep, framing(self.recipe), silent)
        if table.skipped:
            raise FeaturesNotFinite(features=features.name)
        return Fixed(extractor.digest, table.features[0])

    def _tuned(self, features: NetworkFeatures) -> TunedColumns:
        key = features.network, features.tuning, features.frozen
        if key not in self._tunings:
            self._tunings[key] = self._new_tuning(features)
        return TunedColumns(features, self._tunings[key], self._ground())

    def _new_tuning(self, features: NetworkFeatures) -> Tuning:
        definition = get_network(features.network)
        origin = hashlib.sha256(self._weights.find(definition.card).read_bytes()).hexdigest()

        def body() -> Body:
            return Body(definition.card, pretrained_stages(features.network, self._weights))

        place = len(self._tunings)

        def progress(stage: str, fraction: float, message: str, metrics: Mapping[str, float]) -> None:
            self._progress(stage, (place + fraction) / len(self._tunings), message, metrics)

        return Tuning(features, body, origin, self._ground(), progress)

    def _ground(self) -> Ground:
        recipe = self.recipe
        return Ground(list(self.table.samples), self.trial, recipe.tuning, framing(recipe), self._keep)


def build_extractor(
    features: FeatureSet, recipe: Recipe, weights: WeightsFinder, seed: int, progress: Progress = silent
) -> Extractor:
    """What computes a feature set before any label is seen: by formula, or by a network as pre-trained."""
    if isinstance(features, HandcraftedFeatures):
        return HandcraftedExtractor(features)
    if features.tuning is How.PHANTOMS:
        network = train_on_phantoms(features, recipe.phantoms, recipe.roi.margin, seed, progress)
    else:
        network = TapNetwork.pretrained(features.network, features.taps, weights)
    return NetworkExtractor(pretrained(features), network)


def framing(recipe: Recipe) -> Framing:
    """How the recipe wants a nodule cut out."""
    return Framing(recipe.roi.margin, recipe.roi.calipers is not Calipers.NEVER)


def pretrained(features: FeatureSet) -> FeatureSet:
    """The same set without what it learns of the data set."""
    return replace(features, tuning=How.NONE, frozen="") if _learnt(features) else features


def fingerprint(samples: Sequence[Sample]) -> str:
    """SHA-256 of a data set: keys, labels and groups, whatever their order."""
    digest = hashlib.sha256()
    for line in sorted(f"{sample.key}\t{sample.malignant:d}\t{sample.group}\n" for sample in samples):
        digest.update(line.encode())
    return digest.hexdigest()


def _learnt(features: FeatureSet) -> bool:
    return isinstance(features, NetworkFeatures) and features.tuning in LEARNT


def _trial(table: FeatureTable, recipe: Recipe, seed: int) -> Trial:
    if not table.samples:
        raise NoneReadable(count=len(table.skipped), code=table.skipped[0].code)
    check_enough(table.malignant, table.groups)
    folds = split(table.malignant, table.groups, recipe.validation.folds, seed)
    order = hashlib.sha256("\n".join(f"{s.key} {s.malignant:d} {s.group}" for s in table.samples).encode()).hexdigest()
    return Trial(table.malignant, np.asarray(table.groups), folds, recipe.validation.inner_folds, seed, order)
