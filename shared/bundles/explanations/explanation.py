"""Where a bundle looked: an occlusion map through the whole ensemble, and Grad-CAM of each tuned network in it."""

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
    """One answer to where a score comes from.

    Attributes
    ----------
    of : `ENSEMBLE`, or the network whose own verdict is explained
    layer : the network's stage whose maps were weighed; None for an occlusion map
    values : (rows, columns); of an occlusion map the fall of the score, of Grad-CAM without a unit and 0 or more
    """

    kind: MapKind
    subject: str
    layer: str | None
    values: NDArray[np.floating]
    faithfulness: Faithfulness

    @property
    def strongest(self) -> float | None:
        """The value farthest from 0, in units of the score; None where the map has no unit."""
        flat = self.values.ravel()
        return (
            float(flat[np.abs(flat).argmax()])
            if self.kind is MapKind.OCCLUSION
            else None
        )

    def layer_png(self, nodule: Nodule) -> bytes:
        """A transparent layer of the crop's size."""
        return layer_png(self.values, nodule.pixels.shape)


@dataclass(frozen=True)
class Explanation:
    """All maps of one nodule, that of the ensemble first, and its picture over the image."""

    maps: tuple[HeatMap, ...]
    png: bytes


def explain(
    bundle: Bundle, nodule: Nodule, pause: PauseCallback = no_pause
) -> Explanation:
    """Every map that the bundle gives; `pause` is called after each slice of passes.

    Raises
    ------
    SeraError
        that of the nodule itself, if it cannot be read.
    """
    whole = _of_ensemble(bundle, nodule, pause)
    return Explanation(
        (whole, *_of_networks(bundle, nodule, pause)),
        composite_png(whole.values, nodule.pixels),
    )


def occlusion_map(
    bundle: Bundle, nodule: Nodule, grid: int = GRID, pause: PauseCallback = no_pause
) -> NDArray[np.float64]:
    """How much each place carries of the score (Zeiler & Fergus, ECCV 2014); the hidden patches overlap by half.

    Returns
    -------
    (grid, grid) float64: score of the nodule less its score with a patch around that place blurred away; positive where
    what is seen there speaks for malignancy. A patch whose occlusion cannot be read counts 0.
    """
    whole = bundle.predict([nodule])[0].score
    veil = OcclusionMask.of_nodule(nodule, grid)
    told = score_in_slices(
        _of_bundle(bundle),
        (veil.occlude_window(cell) for cell in range(grid * grid)),
        pause,
    )
    return np.array([0.0 if each is None else whole - each for each in told]).reshape(
        grid, grid
    )


def _of_ensemble(bundle: Bundle, nodule: Nodule, pause: PauseCallback) -> HeatMap:
    drops = occlusion_map(bundle, nodule, pause=pause)
    tested = deletion_test(
        _of_bundle(bundle), OcclusionMask.of_nodule(nodule, GRID), drops, pause
    )
    return HeatMap(MapKind.OCCLUSION, ENSEMBLE, None, drops, tested)


def _of_networks(
    bundle: Bundle, nodule: Nodule, pause: PauseCallback
) -> Iterator[HeatMap]:
    """Of each network that was tuned, for it alone has a verdict of its own."""
    for extractor in bundle.model.extractors:
        if (
            isinstance(extractor, NetworkExtractor)
            and extractor.network.head is not None
        ):
            found = grad_cam(extractor.network, extractor.inputs([nodule]))
            pause()
            tested = deletion_test(
                _of_network(extractor),
                OcclusionMask.of_nodule(nodule, GRID),
                found.values,
                pause,
            )
            yield HeatMap(
                MapKind.GRAD_CAM,
                extractor.feature_set.network,
                found.layer,
                found.values,
                tested,
            )


def _of_bundle(bundle: Bundle) -> ScoreFunction:
    def score(nodules: Sequence[Nodule]) -> list[float | None]:
        outcomes = bundle.predict_each(nodules)
        return [
            None if isinstance(each, SeraError) else each.score for each in outcomes
        ]

    return score


def _of_network(extractor: NetworkExtractor) -> ScoreFunction:
    """A tuned network's own probability of malignancy."""

    def score(nodules: Sequence[Nodule]) -> list[float | None]:
        return [float(odds) for odds in expit(extractor.log_odds(nodules))]

    return score
