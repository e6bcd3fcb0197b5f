"""Features of the whole picture, by which an image's belonging is measured."""

from collections import OrderedDict
from collections.abc import Sequence

import numpy as np

from shared.domain.results.findings import Finding
from shared.imaging.grey import COLOUR_OVERLAY
from shared.imaging.image import Nodule
from shared.imaging.regions.normalise import to_input
from shared.learning.features.extractors import Array, Extractor, NetworkExtractor
from shared.networks import TapNetwork, get_network
from shared.networks.card import NetworkCard, Pool
from shared.recipes import (
    SUPERVISED_TUNINGS,
    FeatureSet,
    NetworkFeatures,
    Recipe,
)


def frame_feature_set(recipe: Recipe) -> int | None:
    """Return the index of the feature set whose network describes whole pictures.

    It is a network that is not tuned, if there is one, and of these the one with the fewest
    averages: they take the fewest images to learn. None if the recipe has no network.
    """
    candidates = [
        (features.tuning in SUPERVISED_TUNINGS, _width(features), index)
        for index, features in enumerate(recipe.features)
        if isinstance(features, NetworkFeatures)
    ]
    return min(candidates)[2] if candidates else None


class FrameExtractor:
    """Averages of a network's maps over the whole picture, and whether it is in colour.

    The network is that of a feature set; no weights are added. The maps of each stage that the set
    taps are averaged. The last column is 1 for a picture with a colour overlay, else 0.
    """

    def __init__(self, extractor: NetworkExtractor) -> None:
        network = extractor.network
        taps = frame_taps(network.card, extractor.feature_set.taps)
        self._extractor = NetworkExtractor(
            NetworkFeatures(
                network=network.card.name,
                taps=taps,
                root=extractor.feature_set.root,
                label="frame",
            ),
            TapNetwork(network.card, OrderedDict(network.layers.items()), taps),
            extractor.engine,
        )
        self.width = self._extractor.width + 1
        self.digest = f"frame-{self._extractor.digest}"

    @property
    def feature_set(self) -> FeatureSet:
        return self._extractor.feature_set

    def prepare(self, nodule: Nodule) -> Array:
        """Return the picture (3, S, S) float32, and a fourth channel that is 1 if it is coloured."""
        card = self._extractor.network.card
        frame = nodule.pixels if nodule.frame is None else nodule.frame
        image = to_input(
            Nodule(frame, np.ones(frame.shape, bool)),
            card.input_px,
            card.normalisation.mean,
            card.normalisation.std,
        )
        is_coloured = _is_coloured(nodule.findings)
        colour = np.full((1, *image.shape[1:]), is_coloured, np.float32)
        return np.concatenate([image, colour])

    def compute(self, prepared: Sequence[Array]) -> Array:
        colours = np.array([image[3, 0, 0] for image in prepared], np.float32)
        features = self._extractor.compute([image[:3] for image in prepared])
        return np.column_stack([features, colours])


def frame_extractor(
    recipe: Recipe, extractors: Sequence[Extractor]
) -> FrameExtractor | None:
    """Return the extractor for whole pictures; None if the recipe has no network.

    Parameters
    ----------
    extractors : of the recipe's feature sets
    """
    index = frame_feature_set(recipe)
    if index is None:
        return None
    extractor = extractors[index]
    assert isinstance(extractor, NetworkExtractor)
    return FrameExtractor(extractor)


def frame_taps(card: NetworkCard, taps: Sequence[str]) -> tuple[str, ...]:
    """Return the average of each stage that is tapped, or the tap itself if it has no map."""
    averages = {
        tap.stage: name for name, tap in card.taps.items() if tap.pool is Pool.AVERAGE
    }
    chosen = [averages.get(card.taps[name].stage, name) for name in taps]
    return tuple(dict.fromkeys(chosen))


def _width(features: NetworkFeatures) -> int:
    card = get_network(features.network).card
    return sum(card.taps[name].width for name in frame_taps(card, features.taps))


def _is_coloured(findings: Sequence[Finding]) -> bool:
    return any(finding.code == COLOUR_OVERLAY.code for finding in findings)
