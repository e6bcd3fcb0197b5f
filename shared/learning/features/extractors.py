"""One interface for every way of turning a nodule into numbers: prepare each alone, compute them together."""

import hashlib
import json
from collections.abc import Sequence
from functools import cached_property
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.engines import Engine, Precision
from shared.features import extract, feature_names
from shared.imaging.image import Nodule
from shared.imaging.regions.normalise import mask_square, to_input
from shared.learning.errors import FeaturesNotFinite
from shared.networks import TapNetwork
from shared.recipes import FeatureSet, HandcraftedFeatures, NetworkFeatures

Array = NDArray[np.float32]
PREPROCESSING_VERSION = 2
"""Raised when an extractor's arithmetic or what a crop shows changes, so that features cached before are not used."""


class Extractor(Protocol):
    """`prepare` is safe to call from several threads, one nodule at a time; only it fails for an odd nodule."""

    @property
    def feature_set(self) -> FeatureSet: ...

    @property
    def width(self) -> int: ...

    @property
    def digest(self) -> str:
        """Names all that decides the numbers besides the image."""
        ...

    def prepare(self, nodule: Nodule) -> Array: ...

    def compute(self, prepared: Sequence[Array]) -> Array:
        """Features (N, `width`) float32, finite."""
        ...


class NetworkExtractor:
    """Features of a frozen CNN, run by an engine.

    Where the recipe says so they are averaged over the image and its mirror image, and signed square roots are taken:
    activations have a long tail, and a few strong ones would decide the distance between two images (power
    normalisation, Perronnin et al., ECCV 2010).
    """

    def __init__(
        self, features: NetworkFeatures, network: TapNetwork, engine: Engine
    ) -> None:
        self.feature_set = features
        self.network = network
        self.width = network.width
        self._precision = engine.precision
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
            **precision_facts(self._precision),
        )

    def prepare(self, nodule: Nodule) -> Array:
        """(3, S, S) float32, and the nodule's mask as a fourth channel where the network takes it."""
        card = self.network.card
        image = to_input(nodule, card.input_px, card.normalisation.mean, card.normalisation.std)
        return (
            np.concatenate([image, mask_square(nodule, card.input_px)[np.newaxis]])
            if self.network.takes_mask
            else image
        )

    def inputs(self, nodules: Sequence[Nodule]) -> Array:
        """What the network takes in, (N, 3 or 4, S, S)."""
        return np.stack([self.prepare(nodule) for nodule in nodules])

    def log_odds(self, nodules: Sequence[Nodule]) -> Array:
        """A tuned network's own log-odds of malignant (N,), of images as they are."""
        return self._compiled.run(self.inputs(nodules))[:, -1]

    def compute(self, prepared: Sequence[Array]) -> Array:
        images = np.stack(prepared)
        if self.feature_set.flips:
            both = self._compiled.run(np.concatenate([images, images[..., ::-1]]))
            straight, mirrored = np.split(both, 2)
            table: Array = (straight + mirrored) / np.float32(2)
        else:
            table = self._compiled.run(images)
        return _finite(
            self._rooted(table) if self.feature_set.root else table, self.feature_set.name
        )

    def _rooted(self, table: Array) -> Array:
        """All but a tuned network's own verdict."""
        last = table.shape[1] - (self.network.head is not None)
        table[:, :last] = np.sign(table[:, :last]) * np.sqrt(np.abs(table[:, :last]))
        return table


class HandcraftedExtractor:
    """Features by formula, of the nodule scaled so that its longer side has `size_px`."""

    def __init__(self, features: HandcraftedFeatures) -> None:
        self.feature_set = features
        self.width = len(feature_names(features.families))
        self.digest = _digest(
            kind="handcrafted",
            families=features.families,
            size_px=features.size_px,
            **_texture(features),
        )

    def prepare(self, nodule: Nodule) -> Array:
        """The features themselves, (D,) float32."""
        pixels, mask = _scaled(nodule, self.feature_set.size_px)
        found = extract(
            pixels, mask, self.feature_set.families, self.feature_set.levels, self.feature_set.distance
        )
        return _finite(found.values.astype(np.float32), self.feature_set.name)

    def compute(self, prepared: Sequence[Array]) -> Array:
        return np.stack(prepared)


def _texture(features: HandcraftedFeatures) -> dict[str, int]:
    """What differs from the defaults, so that features cached before there was a choice stay valid."""
    chosen = {"levels": features.levels, "distance": features.distance}
    return {
        name: value
        for name, value in chosen.items()
        if value != getattr(HandcraftedFeatures, name)
    }


def precision_facts(precision: Precision) -> dict[str, str]:
    """What differs from float32, so that features cached before there was a choice stay valid."""
    return {} if precision is Precision.FP32 else {"precision": precision}


def _scaled(
    nodule: Nodule, size_px: int
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Texture depends on the scale it is measured at, so each nodule gets the same one."""
    height, width = nodule.pixels.shape
    factor = size_px / max(height, width)
    size = (max(round(width * factor), 1), max(round(height * factor), 1))
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    pixels = cv2.resize(nodule.pixels, size, interpolation=how)
    mask = cv2.resize(
        nodule.mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST
    )
    return np.asarray(pixels, np.uint8), mask.astype(bool)


def _finite(features: Array, name: str) -> Array:
    if not np.isfinite(features).all():
        raise FeaturesNotFinite(features=name)
    return features


def _digest(**facts: object) -> str:
    text = json.dumps({"preprocessing": PREPROCESSING_VERSION, **facts}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
