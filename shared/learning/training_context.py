"""A data set on the table: the images that can be read, the folds, and the numbers of any feature set."""

import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np

from shared.domain.messages import Message
from shared.engines import Engine, open_engine
from shared.imaging.regions.crop import Framing
from shared.learning.errors import FeaturesNotFinite, NoneReadable
from shared.learning.features.cache import FeatureCache, NoCache
from shared.learning.features.extractors import (
    Extractor,
    HandcraftedExtractor,
    NetworkExtractor,
)
from shared.learning.features.fold_features import FoldFeatures, FixedFeatures
from shared.learning.features.stored_table import StoredTable
from shared.learning.features.table import FeatureTable, gather_features
from shared.learning.progress import ProgressCallback, ignore_progress
from shared.learning.samples.sample import Sample, check_both_classes
from shared.learning.tuning import Backbone, TunedFeatures, NetworkTuning
from shared.learning.tuning.from_scratch import cached_phantom_network
from shared.learning.tuning.tuned import TuningContext
from shared.learning.validation.cross_validation import (
    OutOfFoldScores,
    Reading,
    CrossValidation,
    score_fold,
    score_out_of_fold,
)
from shared.learning.validation.folds import check_group_counts, split_folds
from shared.networks import TapNetwork, WeightsFinder, get_network, pretrained_stages
from shared.recipes import (
    SUPERVISED_TUNINGS,
    Calipers,
    FeatureSet,
    HandcraftedFeatures,
    NetworkFeatures,
    Recipe,
)
from shared.recipes import Tuning as How

TuningKey = tuple[str, How, str]
"""Network, how it is tuned, and the last stage that stays as it was."""


class TrainingContext:
    """Everything that readers of a data set share.

    Parameters
    ----------
    table : gathered before; else it is gathered now
    extractors : those built already, by feature set; what is built here is added
    engine : runs the networks; None for the one that suits this machine

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
        progress: ProgressCallback = ignore_progress,
        table: StoredTable | None = None,
        extractors: dict[FeatureSet, Extractor] | None = None,
        engine: Engine | None = None,
    ) -> None:
        check_both_classes(samples)
        self.recipe = recipe
        self.seed = seed
        self._weights = weights
        self._keep = keep
        self._progress = progress
        self._extractors = {} if extractors is None else extractors
        self._engine = engine or open_engine()
        with ExitStack() as opened:
            self._folder = Path(
                opened.enter_context(tempfile.TemporaryDirectory(prefix="sera-bench-"))
            )
            self.table = (
                table.restore(samples, keep, self._folder)
                if table
                else self._gather(samples, recipe.features)
            )
            self.cross_validation = _trial(self.table, recipe, seed)
            self._open = opened.pop_all()
        self._tunings: dict[TuningKey, NetworkTuning] = {}
        self._columns: dict[FeatureSet, FoldFeatures] = {}
        for each, digest, numbers in zip(
            recipe.features, self.table.digests, self.table.features, strict=True
        ):
            self._columns[without_tuning(each)] = FixedFeatures(digest, numbers)

    def __enter__(self) -> "TrainingContext":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the files that tables lie in."""
        for tuning in self._tunings.values():
            tuning.close()
        self._open.close()

    @property
    def components(self) -> tuple[Reading, ...]:
        """Those that take part in the recipe's fusion."""
        return self.recipe.select_components(self.recipe.fusion.members)

    def fold_features(self, features: FeatureSet) -> FoldFeatures:
        """A feature set's numbers for all images; raises `FeaturesNotFinite` where one image has none."""
        if features not in self._columns:
            if isinstance(features, NetworkFeatures) and features.tuning in SUPERVISED_TUNINGS:
                self._columns[features] = self._tuned(features)
            else:
                self._columns[features] = self._gathered(features)
        return self._columns[features]

    def extractor(self, place: int) -> Extractor:
        """What a bundle computes the recipe's feature set of that number with."""
        features = self.recipe.features[place]
        columns = self.fold_features(features)
        if isinstance(columns, TunedFeatures):
            return columns.extractor()
        return self._extractor(features)

    def score_out_of_fold(
        self,
        readings: Sequence[Reading],
        sets: Sequence[FeatureSet],
        progress: ProgressCallback,
    ) -> list[OutOfFoldScores]:
        """Scores of readings, whose numbers count `sets`."""
        columns = [self.fold_features(each) for each in sets]
        for place in sorted({place for sets, _ in readings for place in sets}):
            columns[place].prepare()
        return score_out_of_fold(readings, columns, self.cross_validation, self._keep, progress)

    def score_fold(self, number: int, progress: ProgressCallback) -> None:
        """Score one fold's images with the readers of the recipe's fusion, and keep the scores."""
        columns = [self.fold_features(each) for each in self.recipe.features]
        score_fold(number, self.components, columns, self.cross_validation, self._keep, progress)

    def tuning(self, key: TuningKey) -> NetworkTuning:
        """The tuning of a network, which all its feature sets share."""
        if key not in self._tunings:
            self._tunings[key] = self._new_tuning(
                NetworkFeatures(key[0], (), key[1], key[2])
            )
        return self._tunings[key]

    def _extractor(self, features: FeatureSet) -> Extractor:
        if features not in self._extractors:
            self._extractors[features] = build_extractor(
                features,
                self.recipe,
                self._weights,
                self.seed,
                progress=self._progress,
                keep=self._keep,
                engine=self._engine,
            )
        return self._extractors[features]

    def _gather(
        self,
        samples: Sequence[Sample],
        sets: Sequence[FeatureSet],
        progress: ProgressCallback | None = None,
    ) -> FeatureTable:
        extractors = [self._extractor(features) for features in sets]
        return gather_features(
            samples,
            extractors,
            self._keep,
            recipe_framing(self.recipe),
            progress or self._progress,
            self._folder,
        )

    def _gathered(self, features: FeatureSet) -> FixedFeatures:
        table = self._gather(self.table.samples, [features], ignore_progress)
        if table.skipped:
            raise FeaturesNotFinite(features=features.name)
        return FixedFeatures(table.digests[0], table.features[0])

    def _tuned(self, features: NetworkFeatures) -> TunedFeatures:
        return TunedFeatures(features, self.tuning(tuning_key(features)), self._ground())

    def _new_tuning(self, features: NetworkFeatures) -> NetworkTuning:
        definition = get_network(features.network)
        origin = hashlib.sha256(
            self._weights.find(definition.card).read_bytes()
        ).hexdigest()

        def body() -> Backbone:
            return Backbone(
                definition.card, pretrained_stages(features.network, self._weights)
            )

        place = len(self._tunings)

        def progress(
            stage: str, fraction: float, message: Message, metrics: Mapping[str, float]
        ) -> None:
            self._progress(
                stage, (place + fraction) / len(self._tunings), message, metrics
            )

        return NetworkTuning(features, body, origin, self._ground(), progress)

    def _ground(self) -> TuningContext:
        recipe = self.recipe
        return TuningContext(
            samples=list(self.table.samples),
            cross_validation=self.cross_validation,
            plan=recipe.tuning_plan(),
            framing=recipe_framing(recipe),
            cache=self._keep,
            engine=self._engine,
        )


def build_extractor(
    features: FeatureSet,
    recipe: Recipe,
    weights: WeightsFinder,
    seed: int,
    progress: ProgressCallback = ignore_progress,
    keep: FeatureCache | None = None,
    engine: Engine | None = None,
) -> Extractor:
    """What computes a feature set before any label is seen: by formula, or by a network as pre-trained.

    A network trained on phantoms is taken from `keep` where it is there.
    """
    if isinstance(features, HandcraftedFeatures):
        return HandcraftedExtractor(features)
    if features.tuning is How.PHANTOMS:
        network = cached_phantom_network(
            features, recipe, seed, progress, keep or NoCache()
        )
    else:
        network = TapNetwork.pretrained(features.network, features.taps, weights)
    return NetworkExtractor(_pretrained(features), network, engine or open_engine())


def tuning_key(features: NetworkFeatures) -> TuningKey:
    return features.network, features.tuning, features.frozen


def tuning_keys(recipe: Recipe) -> list[TuningKey]:
    """The networks that a recipe tunes, each once."""
    networks = [each for each in recipe.features if isinstance(each, NetworkFeatures)]
    return list(
        dict.fromkeys(tuning_key(each) for each in networks if each.tuning in SUPERVISED_TUNINGS)
    )


def recipe_framing(recipe: Recipe) -> Framing:
    """How the recipe wants a nodule cut out."""
    return Framing(recipe.roi.margin, recipe.roi.calipers is not Calipers.NEVER)


def without_tuning(features: FeatureSet) -> FeatureSet:
    """The same set without what it learns of the data set."""
    return _pretrained(features) if isinstance(features, NetworkFeatures) else features


def fingerprint(samples: Sequence[Sample]) -> str:
    """SHA-256 of a data set: keys, labels and groups, whatever their order."""
    digest = hashlib.sha256()
    for line in sorted(
        f"{sample.key}\t{sample.malignant:d}\t{sample.group}\n" for sample in samples
    ):
        digest.update(line.encode())
    return digest.hexdigest()


def _pretrained(features: NetworkFeatures) -> NetworkFeatures:
    if features.tuning not in SUPERVISED_TUNINGS:
        return features
    return replace(features, tuning=How.NONE, frozen="")


def _trial(table: FeatureTable, recipe: Recipe, seed: int) -> CrossValidation:
    if not table.samples:
        raise NoneReadable(count=len(table.skipped), code=table.skipped[0].code)
    check_group_counts(table.malignant, table.groups)
    folds = split_folds(table.malignant, table.groups, recipe.validation.folds, seed)
    order = hashlib.sha256(
        "\n".join(f"{s.key} {s.malignant:d} {s.group}" for s in table.samples).encode()
    ).hexdigest()
    return CrossValidation(
        table.malignant,
        np.asarray(table.groups),
        folds,
        recipe.validation.inner_folds,
        seed,
        order,
    )
