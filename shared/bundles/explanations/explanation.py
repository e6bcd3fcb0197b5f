"""Explains a bundle's prediction of a nodule.

An occlusion map explains the score of the ensemble. Grad-CAM explains the output of each tuned
network in it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from shared.bundles.bundle import Bundle
from shared.bundles.explanations.deletion_test import Faithfulness, deletion_test
from shared.bundles.explanations.heatmap import composite_png, layer_png
from shared.bundles.explanations.occlusion import (
    OcclusionMask,
    PauseCallback,
    ScoreFunction,
    no_pause,
    score_in_slices,
)
from shared.errors import SeraError
from shared.imaging import Nodule
from shared.learning.features.extractors import NetworkExtractor
from shared.networks import grad_cam

GRID = 8
ENSEMBLE = "ensemble"


class MapKind(StrEnum):
    OCCLUSION = "occlusion"
    GRAD_CAM = "grad-cam"


@dataclass(frozen=True, eq=False)
class HeatMap:
    """A map of the places that a score depends on.

    Attributes
    ----------
    subject : `ENSEMBLE`, or the network whose own output is explained
    layer : the network's stage whose maps are weighted; None for an occlusion map
    values : (rows, columns). For an occlusion map, the decrease of the score. For Grad-CAM, values
        of 0 or more, without a unit
    """

    kind: MapKind
    subject: str
    layer: str | None
    values: NDArray[np.floating]
    faithfulness: Faithfulness

    @property
    def strongest(self) -> float | None:
        """The value farthest from 0, in units of the score; None if the map has no unit."""
        if self.kind is not MapKind.OCCLUSION:
            return None
        values = self.values.ravel()
        return float(values[np.abs(values).argmax()])

    def layer_png(self, nodule: Nodule) -> bytes:
        """Return a transparent layer of the crop's size."""
        return layer_png(self.values, nodule.pixels.shape)


@dataclass(frozen=True)
class Explanation:
    """All maps of one nodule.

    `png` shows the first map, which is the ensemble's, over the image.
    """

    maps: tuple[HeatMap, ...]
    png: bytes


def explain(
    bundle: Bundle, nodule: Nodule, pause: PauseCallback = no_pause
) -> Explanation:
    """Compute every map that the bundle can give.

    Parameters
    ----------
    pause : called after each slice of passes

    Raises
    ------
    SeraError
        the error of the nodule if it cannot be processed.
    """
    ensemble_map = _ensemble_map(bundle, nodule, pause)
    network_maps = _network_maps(bundle, nodule, pause)
    return Explanation(
        maps=(ensemble_map, *network_maps),
        png=composite_png(ensemble_map.values, nodule.pixels),
    )


def occlusion_map(
    bundle: Bundle, nodule: Nodule, grid: int = GRID, pause: PauseCallback = no_pause
) -> NDArray[np.float64]:
    """Compute how much each place contributes to the score. The hidden patches overlap by half.

    Source: Zeiler & Fergus, ECCV 2014.

    Returns
    -------
    (grid, grid) float64: the score of the nodule minus its score with a patch at that place
    blurred. Positive values mean that the place speaks for malignancy. A patch whose occlusion
    makes the nodule unreadable counts 0.
    """
    (prediction,) = bundle.predict([nodule])
    mask = OcclusionMask.of_nodule(nodule, grid)
    nodules = (mask.occlude_window(cell) for cell in range(grid * grid))
    scores = score_in_slices(_bundle_score(bundle), nodules, pause)
    drops = [0.0 if score is None else prediction.score - score for score in scores]
    return np.array(drops).reshape(grid, grid)


def _ensemble_map(bundle: Bundle, nodule: Nodule, pause: PauseCallback) -> HeatMap:
    drops = occlusion_map(bundle, nodule, pause=pause)
    faithfulness = deletion_test(
        _bundle_score(bundle),
        mask=OcclusionMask.of_nodule(nodule, GRID),
        importance=drops,
        pause=pause,
    )
    return HeatMap(
        kind=MapKind.OCCLUSION,
        subject=ENSEMBLE,
        layer=None,
        values=drops,
        faithfulness=faithfulness,
    )


def _network_maps(
    bundle: Bundle, nodule: Nodule, pause: PauseCallback
) -> Iterator[HeatMap]:
    """Yield Grad-CAM of each tuned network. The other networks have no output for malignancy."""
    for extractor in bundle.model.extractors:
        if not isinstance(extractor, NetworkExtractor):
            continue
        if extractor.network.head is None:
            continue
        activation = grad_cam(extractor.network, extractor.inputs([nodule]))
        pause()
        faithfulness = deletion_test(
            _network_score(extractor),
            mask=OcclusionMask.of_nodule(nodule, GRID),
            importance=activation.values,
            pause=pause,
        )
        yield HeatMap(
            kind=MapKind.GRAD_CAM,
            subject=extractor.feature_set.network,
            layer=activation.layer,
            values=activation.values,
            faithfulness=faithfulness,
        )


def _bundle_score(bundle: Bundle) -> ScoreFunction:
    """Return the score of the ensemble."""

    def score(nodules: Sequence[Nodule]) -> list[float | None]:
        outcomes = bundle.predict_each(nodules)
        return [
            None if isinstance(outcome, SeraError) else outcome.score
            for outcome in outcomes
        ]

    return score


def _network_score(extractor: NetworkExtractor) -> ScoreFunction:
    """Return a tuned network's own probability of malignancy."""

    def score(nodules: Sequence[Nodule]) -> list[float | None]:
        log_odds = extractor.log_odds(nodules)
        return [float(probability) for probability in expit(log_odds)]

    return score
