"""Extracts features from nodules: prepares each nodule alone, then computes a batch together."""

import hashlib
import json
from collections.abc import Sequence
from functools import cached_property
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.engines import EagerEngine, Engine
from shared.features import extract, feature_names
from shared.imaging.image import Nodule
from shared.imaging.regions.normalise import mask_square, to_input
from shared.learning.errors import FeaturesNotFinite
from shared.networks import TapNetwork
from shared.recipes import FeatureSet, HandcraftedFeatures, NetworkFeatures

Array = NDArray[np.float32]
PREPROCESSING_VERSION = 3
"""Part of every digest. A change of an extractor's arithmetic or of the crop raises it, so that
features cached before the change are not used.
"""


class Extractor(Protocol):
    """Turns nodules into features.

    `prepare` handles one nodule and may run in several threads. An unusable nodule fails there and
    not in `compute`.
    """

    @property
    def feature_set(self) -> FeatureSet: ...

    @property
    def width(self) -> int: ...

    @property
    def digest(self) -> str:
        """A hash of everything besides the image that determines the features."""
        ...

    def prepare(self, nodule: Nodule) -> Array: ...

    def compute(self, prepared: Sequence[Array]) -> Array:
        """Compute the features (N, `width`) float32, finite."""
        ...


class NetworkExtractor:
    """Features of a frozen CNN that an engine runs.

    If the recipe says so, features are averaged over the image and its mirror image, and signed
    square roots are taken. Activations have a long tail. Without the roots, a few strong
    activations would dominate the distance between two images (power normalisation, Perronnin et
    al., ECCV 2010).
    """

    def __init__(
        self, features: NetworkFeatures, network: TapNetwork, engine: Engine
    ) -> None:
        self.feature_set = features
        self.network = network
        self.width = network.width
        self.engine = engine
        self._compiled = engine.compile(network)

    @cached_property
    def digest(self) -> str:
        card = self.network.card
        return _digest(
            network=card.name,
            input=(card.input_px, card.normalisation.mean, card.normalisation.std),
            weights=self.network.digest,
            taps=self.feature_set.taps,
            flips=self.feature_set.flips,
            root=self.feature_set.root,
            **engine_facts(self.engine),
        )

    def prepare(self, nodule: Nodule) -> Array:
        """Return (3, S, S) float32, or (4, S, S) with the nodule's mask if the network takes a
        mask.
        """
        card = self.network.card
        mean = card.normalisation.mean
        std = card.normalisation.std
        image = to_input(nodule, card.input_px, mean, std)
        if not self.network.takes_mask:
            return image
        mask = mask_square(nodule, card.input_px)
        return np.concatenate([image, mask[np.newaxis]])

    def inputs(self, nodules: Sequence[Nodule]) -> Array:
        """Return the network's input, (N, 3 or 4, S, S)."""
        return np.stack([self.prepare(nodule) for nodule in nodules])

    def log_odds(self, nodules: Sequence[Nodule]) -> Array:
        """Return a tuned network's own log-odds of malignant (N,), without mirror images."""
        return self._compiled.run(self.inputs(nodules))[:, -1]

    def compute(self, prepared: Sequence[Array]) -> Array:
        images = np.stack(prepared)
        if self.feature_set.flips:
            mirror_images = images[..., ::-1]
            tables = self._compiled.run(np.concatenate([images, mirror_images]))
            original, mirrored = np.split(tables, 2)
            table: Array = (original + mirrored) / np.float32(2)
        else:
            table = self._compiled.run(images)
        if self.feature_set.root:
            table = self._take_roots(table)
        return _check_finite(table, self.feature_set.name)

    def _take_roots(self, table: Array) -> Array:
        """Replace all columns except a tuned network's log-odds by their signed square roots.

        `table` itself is changed.
        """
        feature_count = table.shape[1] - (self.network.head is not None)
        features = table[:, :feature_count]
        table[:, :feature_count] = np.sign(features) * np.sqrt(np.abs(features))
        return table


class HandcraftedExtractor:
    """Handcrafted features. The nodule is scaled so that its longer side has `size_px`."""

    def __init__(self, features: HandcraftedFeatures) -> None:
        self.feature_set = features
        self.width = len(feature_names(features.families))
        self.digest = _digest(
            kind="handcrafted",
            families=features.families,
            size_px=features.size_px,
            **_texture_facts(features),
        )

    def prepare(self, nodule: Nodule) -> Array:
        """Return the features themselves, (D,) float32."""
        pixels, mask = _scale_nodule(nodule, self.feature_set.size_px)
        vector = extract(
            pixels,
            mask,
            families=self.feature_set.families,
            levels=self.feature_set.levels,
            distance=self.feature_set.distance,
        )
        values = vector.values.astype(np.float32)
        return _check_finite(values, self.feature_set.name)

    def compute(self, prepared: Sequence[Array]) -> Array:
        return np.stack(prepared)


def engine_facts(engine: Engine) -> dict[str, str]:
    """Return the engine's name and precision as a part of a digest; nothing for `EagerEngine`.

    Thus features that were cached before there were other engines stay valid.
    """
    facts = {}
    if engine.name != EagerEngine.name:
        facts["engine"] = engine.name
    if engine.precision is not EagerEngine.precision:
        facts["precision"] = engine.precision
    return facts


def _texture_facts(features: HandcraftedFeatures) -> dict[str, int]:
    """Return the texture settings that differ from the defaults, as a part of a digest.

    Thus features that were cached before this setting existed stay valid.
    """
    facts = {}
    if features.levels != HandcraftedFeatures.levels:
        facts["levels"] = features.levels
    if features.distance != HandcraftedFeatures.distance:
        facts["distance"] = features.distance
    return facts


def _scale_nodule(
    nodule: Nodule, size_px: int
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Scale pixels and mask so that the longer side has `size_px`.

    Texture depends on the scale at which it is measured, so all nodules get the same scale.
    """
    height, width = nodule.pixels.shape
    factor = size_px / max(height, width)
    size = (max(round(width * factor), 1), max(round(height * factor), 1))
    interpolation = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    pixels = cv2.resize(nodule.pixels, size, interpolation=interpolation)
    mask = cv2.resize(
        nodule.mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST
    )
    return np.asarray(pixels, np.uint8), mask.astype(bool)


def _check_finite(features: Array, name: str) -> Array:
    """Return the same features.

    Raises `FeaturesNotFinite` with the name of the feature set.
    """
    if not np.isfinite(features).all():
        raise FeaturesNotFinite(features=name)
    return features


def _digest(**facts: object) -> str:
    text = json.dumps({"preprocessing": PREPROCESSING_VERSION, **facts}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
