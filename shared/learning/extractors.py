"""One interface for every way of turning a nodule into numbers: prepare each alone, compute them together."""

import hashlib
import json
from collections.abc import Sequence
from functools import cached_property
from typing import Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from shared.features import extract, names
from shared.imaging.image import Nodule
from shared.imaging.normalise import mask_square, to_input
from shared.learning.errors import FeaturesNotFinite
from shared.networks import TapNetwork, compute_device
from shared.recipes import FeatureSet, HandcraftedFeatures, NetworkFeatures

Array = NDArray[np.float32]
PREPROCESSING = 2
"""Raised when an extractor's arithmetic or what a crop shows changes, so that features cached before are not used."""

CPU_BATCH = 4
"""Images in one pass on a CPU; more do not fit its caches.

Measured with `light` on two cores: 56 ms an image in batches of 16, against 62 ms when all went through at once.
"""


class Extractor(Protocol):
    """`prepare` is safe to call from several threads, one nodule at a time; only it fails for an odd nodule."""

    source: FeatureSet
    width: int
    digest: str

    def prepare(self, nodule: Nodule) -> Array: ...

    def compute(self, prepared: Sequence[Array]) -> Array:
        """Features (N, `width`) float32, finite."""
        ...


class NetworkExtractor:
    """Features of a frozen CNN.

    Where the recipe says so they are averaged over the image and its mirror image, and signed square roots are taken:
    activations have a long tail, and a few strong ones would decide the distance between two images (power
    normalisation, Perronnin et al., ECCV 2010).
    """

    def __init__(self, features: NetworkFeatures, network: TapNetwork) -> None:
        self.source, self.network, self.width = features, network, network.width
        self._device = compute_device()
        network.to(self._device)

    @cached_property
    def digest(self) -> str:
        card = self.network.card
        return _digest(
            network=card.name,
            input=(card.input_px, card.normalise.mean, card.normalise.std),
            weights=self.network.digest,
            taps=self.source.taps,
            flips=self.source.flips,
            root=self.source.root,
        )

    def prepare(self, nodule: Nodule) -> Array:
        """(3, S, S) float32, and the nodule's mask as a fourth channel where the network takes it."""
        card = self.network.card
        image = to_input(nodule, card.input_px, card.normalise.mean, card.normalise.std)
        return (
            np.concatenate([image, mask_square(nodule, card.input_px)[np.newaxis]])
            if self.network.takes_mask
            else image
        )

    def inputs(self, nodules: Sequence[Nodule]) -> torch.Tensor:
        """What the network takes in, (N, 3 or 4, S, S) on its device."""
        return self._stacked([self.prepare(nodule) for nodule in nodules])

    def _stacked(self, prepared: Sequence[Array]) -> torch.Tensor:
        return torch.from_numpy(np.stack(prepared)).to(self._device)

    def compute(self, prepared: Sequence[Array]) -> Array:
        images = self._stacked(prepared)
        if self.source.flips:
            straight, mirrored = self._forward(torch.cat([images, images.flip(-1)])).chunk(2)
            features = (straight + mirrored) / 2
        else:
            features = self._forward(images)
        table = features.cpu().numpy()
        return _finite(self._rooted(table) if self.source.root else table, self.source.name)

    def _rooted(self, table: Array) -> Array:
        """All but a tuned network's own verdict."""
        last = table.shape[1] - (self.network.head is not None)
        table[:, :last] = np.sign(table[:, :last]) * np.sqrt(np.abs(table[:, :last]))
        return table

    def _forward(self, images: torch.Tensor) -> torch.Tensor:
        step = CPU_BATCH if self._device.type == "cpu" else len(images)
        return torch.cat([self.network(part) for part in images.split(step)])


class HandcraftedExtractor:
    """Features by formula, of the nodule scaled so that its longer side has `size_px`."""

    def __init__(self, features: HandcraftedFeatures) -> None:
        self.source = features
        self.width = len(names(features.families))
        self.digest = _digest(
            kind="handcrafted",
            families=features.families,
            size_px=features.size_px,
            **_texture(features),
        )

    def prepare(self, nodule: Nodule) -> Array:
        """The features themselves, (D,) float32."""
        pixels, mask = _scaled(nodule, self.source.size_px)
        found = extract(
            pixels, mask, self.source.families, self.source.levels, self.source.distance
        )
        return _finite(found.values.astype(np.float32), self.source.name)

    def compute(self, prepared: Sequence[Array]) -> Array:
        return np.stack(prepared)


def _texture(features: HandcraftedFeatures) -> dict[str, int]:
    """What differs from the defaults, so that features cached before there was a choice stay valid."""
    chosen = {"levels": features.levels, "distance": features.distance}
    return {
        name: value for name, value in chosen.items() if value != getattr(HandcraftedFeatures, name)
    }


def _scaled(nodule: Nodule, size_px: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Texture depends on the scale it is measured at, so each nodule gets the same one."""
    height, width = nodule.pixels.shape
    factor = size_px / max(height, width)
    size = (max(round(width * factor), 1), max(round(height * factor), 1))
    pixels = cv2.resize(
        nodule.pixels, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    )
    mask = cv2.resize(nodule.mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    return pixels, mask.astype(bool)


def _finite(features: Array, name: str) -> Array:
    if not np.isfinite(features).all():
        raise FeaturesNotFinite(features=name)
    return features


def _digest(**facts: object) -> str:
    text = json.dumps({"preprocessing": PREPROCESSING, **facts}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
