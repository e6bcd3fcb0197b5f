"""The context of a training run: the readable images, the folds, and the values of feature sets."""

import hashlib
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from copy import copy
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np

from shared.domain.messages import Message
from shared.engines import Engine, open_engine
from shared.learning.errors import FeaturesNotFinite, NoReadableImages
from shared.learning.features.cache import FeatureCache, NoCache
from shared.learning.features.extractors import (
    Array,
    Extractor,
    HandcraftedExtractor,
    NetworkExtractor,
)
from shared.learning.features.fold_features import (
    FixedFeatures,
    FoldFeatures,
    WeightedTable,
)
from shared.learning.features.frames import (
    FrameExtractor,
    frame_extractor,
    frame_feature_set,
)
from shared.learning.features.stored_table import StoredTable
from shared.learning.features.table import (
    FeatureTable,
    TableView,
    gather_differently,
    gather_features,
)
from shared.learning.outlining import OutlineNetworks
from shared.learning.progress import ProgressCallback, ignore_progress
from shared.learning.recipe_nodules import outline_networks, training_nodules
from shared.learning.samples.sample import Picture, Sample, check_both_classes
from shared.learning.tuning import Backbone, NetworkTuning, TunedFeatures
from shared.learning.tuning.from_scratch import cached_phantom_network
from shared.learning.tuning.keys import (
    TuningKey,
    is_tuned,
    tuning_key,
    tuning_keys,
    without_tuning,
)
from shared.learning.tuning.tuned import TuningContext
from shared.learning.validation.cross_validation import (
    CrossValidation,
    OutOfFoldScores,
    score_fold,
    score_out_of_fold,
)
from shared.learning.validation.folds import check_group_counts, split_folds
from shared.networks import TapNetwork, WeightsFinder, get_network, pretrained_stages
from shared.outlines import NetworkOutliner
from shared.recipes import (
    ComponentSpec,
    FeatureSet,
    HandcraftedFeatures,
    NetworkFeatures,
    Recipe,
    RoiKind,
    Tuning,
)


class TrainingContext:
    """Everything that the components of a data set share.

    Parameters
    ----------
    table : a stored feature table; by default the features are computed now
    extractors : existing extractors by feature set; new extractors are added to it
    engine : runs the networks; by default the best one for this machine
    outlines : the data set's outline networks, if they exist already
    outlined : unlabelled pictures that train the outline networks, too

    Raises
    ------
    SingleClass, TooFewSamples, NoReadableImages, WeightsMissing, WeightsUnreadable, NetworkUnknown,
    TapUnknown
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        recipe: Recipe,
        weights: WeightsFinder,
        cache: FeatureCache,
        seed: int,
        progress: ProgressCallback = ignore_progress,
        table: StoredTable | None = None,
        extractors: dict[FeatureSet, Extractor] | None = None,
        engine: Engine | None = None,
        outlines: OutlineNetworks | None = None,
        outlined: Sequence[Picture] = (),
    ) -> None:
        check_both_classes(samples)
        self.recipe = recipe
        self.seed = seed
        self._weights = weights
        self.cache = cache
        self._progress = progress
        self._extractors = {} if extractors is None else extractors
        self._engine = engine or open_engine()
        self.outlines = outlines or outline_networks(
            [*samples, *outlined],
            recipe=recipe,
            weights=weights,
            cache=cache,
            seed=seed,
            progress=progress,
        )
        self.nodules = training_nodules(recipe, self.outlines)
        with ExitStack() as resources:
            folder = resources.enter_context(
                tempfile.TemporaryDirectory(prefix="sera-bench-")
            )
            self._folder = Path(folder)
            self._frame_table: Array | None = None
            if table:
                self.table = table.restore(samples, cache, self._folder)
            else:
                self.table = self._gather_all(samples, progress)
            self.cross_validation = _make_cross_validation(self.table, recipe, seed)
            self._resources = resources.pop_all()
        self._tunings: dict[TuningKey, NetworkTuning] = {}
        self._features: dict[FeatureSet, FoldFeatures] = {}
        for index, feature_set in enumerate(recipe.features):
            self._features[without_tuning(feature_set)] = self._table_features(
                self.table, index
            )

    def __enter__(self) -> "TrainingContext":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Delete the temporary files of the tables."""
        for tuning in self._tunings.values():
            tuning.close()
        self._resources.close()

    def with_cross_validation(
        self, cross_validation: CrossValidation, progress: ProgressCallback
    ) -> "TrainingContext":
        """Return a context of the same images and features on other folds. Close it first.

        Networks are tuned anew for its folds. Other features depend on no label and are shared.
        """
        context = copy(self)
        context.cross_validation = cross_validation
        context._progress = progress
        context._resources = ExitStack()
        context._tunings = {}
        context._features = {
            feature_set: features
            for feature_set, features in self._features.items()
            if not is_tuned(feature_set)
        }
        return context

    @property
    def components(self) -> tuple[ComponentSpec, ...]:
        """The members of the recipe's fusion."""
        return self.recipe.select_components(self.recipe.fusion.members)

    def fold_features(self, feature_set: FeatureSet) -> FoldFeatures:
        """Return a feature set's values for all images.

        Raises `FeaturesNotFinite` if a single image has no such values.
        """
        if feature_set not in self._features:
            if is_tuned(feature_set):
                self._features[feature_set] = self._tuned_features(feature_set)
            else:
                self._features[feature_set] = self._fixed_features(feature_set)
        return self._features[feature_set]

    def extractor(self, index: int) -> Extractor:
        """Return the extractor that a bundle uses for the recipe's feature set of this index."""
        feature_set = self.recipe.features[index]
        features = self.fold_features(feature_set)
        if isinstance(features, TunedFeatures):
            return features.extractor()
        return self._get_extractor(feature_set)

    def outliner(self) -> NetworkOutliner | None:
        """Return the outliner that a bundle uses, trained on all images; None without one."""
        return None if self.outlines is None else self.outlines.outliner(None)

    def presented_tables(
        self, kind: RoiKind, progress: ProgressCallback
    ) -> tuple[Array, ...]:
        """Return the recipe's feature sets (N, D) for images with this kind of ROI.

        An image that cannot be read with it has the features of its own ROI.
        """
        return gather_differently(
            self.table,
            nodules=self.nodules.with_roi_kind(kind),
            extractors=[self._get_extractor(part) for part in self.recipe.features],
            cache=self.cache,
            progress=progress,
            folder=self._folder,
        )

    @cached_property
    def frames(self) -> FrameExtractor | None:
        """The extractor of whole pictures, as in a bundle; None if the recipe has no network."""
        index = frame_feature_set(self.recipe)
        if index is None:
            return None
        extractor = self.extractor(index)
        assert isinstance(extractor, NetworkExtractor)
        return FrameExtractor(extractor)

    def frame_table(self) -> Array | None:
        """Return the features (N, D + 1) of the whole pictures; None if the recipe has no network.

        Raises `FeaturesNotFinite` if a single image has no such values.
        """
        if self._frame_table is None and self.frames is not None:
            table = self._gather_with(self.table.samples, [self.frames])
            if table.skipped:
                raise FeaturesNotFinite(features=self.frames.feature_set.name)
            self._frame_table = table.features[0]
        return self._frame_table

    def score_out_of_fold(
        self,
        components: Sequence[ComponentSpec],
        feature_sets: Sequence[FeatureSet],
        progress: ProgressCallback,
    ) -> list[OutOfFoldScores]:
        """Cross-validate components, whose indices refer to `feature_sets`."""
        features = [self.fold_features(feature_set) for feature_set in feature_sets]
        used_indices: set[int] = set()
        for component in components:
            used_indices.update(component.feature_sets)
        for index in sorted(used_indices):
            features[index].prepare()
        return score_out_of_fold(
            components,
            features=features,
            cross_validation=self.cross_validation,
            cache=self.cache,
            progress=progress,
        )

    def score_fold(self, fold_index: int, progress: ProgressCallback) -> None:
        """Score one fold's images with the members of the fusion, and store the scores."""
        features = [
            self.fold_features(feature_set) for feature_set in self.recipe.features
        ]
        score_fold(
            fold_index,
            components=self.components,
            features=features,
            cross_validation=self.cross_validation,
            cache=self.cache,
            progress=progress,
        )

    def tuning(self, key: TuningKey) -> NetworkTuning:
        """Return the tuning of a network, which all its feature sets share."""
        if key not in self._tunings:
            self._tunings[key] = self._new_tuning(key)
        return self._tunings[key]

    def _get_extractor(self, feature_set: FeatureSet) -> Extractor:
        if feature_set not in self._extractors:
            self._extractors[feature_set] = build_extractor(
                feature_set,
                recipe=self.recipe,
                weights=self._weights,
                seed=self.seed,
                progress=self._progress,
                cache=self.cache,
                engine=self._engine,
            )
        return self._extractors[feature_set]

    def _gather(
        self,
        samples: Sequence[Sample],
        feature_sets: Sequence[FeatureSet],
        progress: ProgressCallback,
    ) -> FeatureTable:
        extractors = [self._get_extractor(feature_set) for feature_set in feature_sets]
        table = self._gather_with(samples, extractors, progress)
        return self._with_views(table, extractors, progress)

    def _gather_with(
        self,
        samples: Sequence[Sample],
        extractors: Sequence[Extractor],
        progress: ProgressCallback = ignore_progress,
    ) -> FeatureTable:
        return gather_features(
            samples,
            extractors=extractors,
            cache=self.cache,
            nodules=self.nodules,
            progress=progress,
            folder=self._folder,
        )

    def _gather_all(
        self, samples: Sequence[Sample], progress: ProgressCallback
    ) -> FeatureTable:
        """Return the features of all feature sets, and keep those of the whole pictures.

        So no image is decoded twice. A network that is tuned describes the pictures only once it is
        tuned.
        """
        features = self.recipe.features
        index = frame_feature_set(self.recipe)
        if index is None or is_tuned(features[index]):
            return self._gather(samples, features, progress)
        extractors = [self._get_extractor(feature_set) for feature_set in features]
        frames = frame_extractor(self.recipe, extractors)
        assert frames is not None
        self.frames = frames
        with_frames = self._gather_with(samples, [*extractors, frames], progress)
        self._frame_table = with_frames.features[-1]
        table = replace(
            with_frames,
            features=with_frames.features[:-1],
            digests=with_frames.digests[:-1],
        )
        return self._with_views(table, extractors, progress)

    def _with_views(
        self,
        table: FeatureTable,
        extractors: Sequence[Extractor],
        progress: ProgressCallback,
    ) -> FeatureTable:
        """Return the table with the features of each of a fit's views of its images.

        A network that is tuned reads each image once, and so do all fits of its recipe.
        """
        if tuning_keys(self.recipe):
            return table
        views = [
            TableView(
                gather_differently(
                    table,
                    nodules=view.nodules,
                    extractors=extractors,
                    cache=self.cache,
                    progress=progress,
                    folder=self._folder,
                ),
                view.weight,
            )
            for view in self.nodules.training_views(len(table.samples))
        ]
        return replace(table, views=tuple(views))

    def _table_features(self, table: FeatureTable, index: int) -> FixedFeatures:
        """Return the features of one extractor of a table of this context's images."""
        views = [
            WeightedTable(view.features[index], view.weight) for view in table.views
        ]
        return FixedFeatures(
            self._values_digest(table.digests[index]), table.features[index], views
        )

    def _fixed_features(self, feature_set: FeatureSet) -> FixedFeatures:
        table = self._gather(self.table.samples, [feature_set], ignore_progress)
        if table.skipped:
            raise FeaturesNotFinite(features=feature_set.name)
        return self._table_features(table, 0)

    def _values_digest(self, extractor_digest: str) -> str:
        """Return a hash of the extractor and of how the nodules are cut out."""
        lines = [extractor_digest]
        samples = self.table.samples
        lines += [self.nodules.key(sample) for sample in samples]
        for view in self.nodules.training_views(len(samples)):
            lines.append(f"weight {view.weight}")
            lines += [view.nodules.key(sample) for sample in samples]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def _tuned_features(self, features: NetworkFeatures) -> TunedFeatures:
        tuning = self.tuning(tuning_key(features))
        return TunedFeatures(features, tuning, self._tuning_context())

    def _new_tuning(self, key: TuningKey) -> NetworkTuning:
        definition = get_network(key.network)
        weights_file = self._weights.find(definition.card)
        index = len(self._tunings)

        def load_backbone() -> Backbone:
            stages = pretrained_stages(key.network, self._weights)
            return Backbone(card=definition.card, stages=stages)

        def report_tuning_progress(
            stage: str, fraction: float, message: Message, metrics: Mapping[str, float]
        ) -> None:
            overall = (index + fraction) / len(self._tunings)
            self._progress(stage, overall, message, metrics)

        return NetworkTuning(
            features=NetworkFeatures(
                network=key.network, taps=(), tuning=key.tuning, frozen=key.frozen
            ),
            load_backbone=load_backbone,
            weights_sha256=hashlib.sha256(weights_file.read_bytes()).hexdigest(),
            context=self._tuning_context(),
            progress=report_tuning_progress,
        )

    def _tuning_context(self) -> TuningContext:
        return TuningContext(
            samples=list(self.table.samples),
            cross_validation=self.cross_validation,
            plan=self.recipe.tuning_plan(),
            nodules=self.nodules,
            cache=self.cache,
            engine=self._engine,
        )


def build_extractor(
    features: FeatureSet,
    recipe: Recipe,
    weights: WeightsFinder,
    seed: int,
    progress: ProgressCallback = ignore_progress,
    cache: FeatureCache | None = None,
    engine: Engine | None = None,
) -> Extractor:
    """Build the extractor of a feature set before any label is used.

    It uses formulas or a pre-trained network.

    A network that is trained on phantoms comes from `cache` if it is there.
    """
    if isinstance(features, HandcraftedFeatures):
        return HandcraftedExtractor(features)
    if features.tuning is Tuning.PHANTOMS:
        network = cached_phantom_network(
            features,
            recipe=recipe,
            seed=seed,
            progress=progress,
            cache=NoCache() if cache is None else cache,
        )
    else:
        network = TapNetwork.pretrained(features.network, features.taps, weights)
    if is_tuned(features):
        features = replace(features, tuning=Tuning.NONE, frozen="")
    return NetworkExtractor(features, network, engine or open_engine())


def _make_cross_validation(
    table: FeatureTable, recipe: Recipe, seed: int
) -> CrossValidation:
    if not table.samples:
        raise NoReadableImages(count=len(table.skipped), code=table.skipped[0].code)
    check_group_counts(table.malignant, table.groups)
    sites = [sample.site or "" for sample in table.samples]
    lines = [
        f"{sample.key} {sample.malignant:d} {sample.group} {site}"
        for sample, site in zip(table.samples, sites, strict=True)
    ]
    return CrossValidation(
        malignant=table.malignant,
        groups=np.asarray(table.groups),
        folds=split_folds(
            table.malignant,
            groups=table.groups,
            count=recipe.validation.folds,
            seed=seed,
        ),
        inner_folds=recipe.validation.inner_folds,
        seed=seed,
        fingerprint=hashlib.sha256("\n".join(lines).encode()).hexdigest(),
        sites=np.array(sites, str),
    )
