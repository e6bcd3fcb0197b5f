"""What the layers being tuned read of every image: kept on disk, so that a data set is never whole in memory."""

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from shared.imaging.image import Nodule
from shared.imaging.regions.normalise import mask_square, to_square
from shared.learning.samples.sample import Sample
from shared.networks import NetworkCard

Rows = NDArray[np.int64]
Flags = NDArray[np.bool_]
BATCH_IMAGES = 32
T = TypeVar("T", bound=np.generic)


class LayerInputs(Protocol):
    def batch(self, rows: Rows, mirrored: Flags) -> Tensor:
        """Of rows (B,), each mirrored left to right or not (B,): (B, C, H, W) or (B, C) on the device."""
        ...


class ImageInputs:
    """The images themselves, normalised as the network's card says; loaded once, then read from disk.

    Parameters
    ----------
    samples : N images that can be read
    folder : where they are kept as (S, S) grey
    """

    def __init__(
        self, samples: Sequence[Sample], card: NetworkCard, device: torch.device, folder: Path
    ) -> None:
        self._samples = samples
        self._card = card
        self._device = device
        self._folder = folder
        self._mean, self._std = (
            torch.tensor(values, device=device)[:, None, None]
            for values in (card.normalisation.mean, card.normalisation.std)
        )
        self._squares = self._kept("pictures", np.uint8, to_square)

    def __len__(self) -> int:
        return len(self._squares)

    def batch(self, rows: Rows, mirrored: Flags) -> Tensor:
        grey = torch.from_numpy(self._squares[rows]).to(self._device).unsqueeze(1) / 255
        turned = torch.from_numpy(mirrored).to(self._device)[:, None, None, None]
        return (torch.where(turned, grey.flip(-1), grey) - self._mean) / self._std

    def extractor_inputs(self, rows: Rows, with_mask: bool) -> NDArray[np.float32]:
        """What an extractor prepares of these images, (B, 3, S, S), or (B, 4, S, S) with the nodule's mask."""
        images = self.batch(rows, np.zeros(len(rows), bool)).cpu().numpy()
        return (
            np.concatenate([images, self._masks[rows][:, np.newaxis]], axis=1)
            if with_mask
            else images
        )

    @cached_property
    def _masks(self) -> NDArray[np.float32]:
        return self._kept("masks", np.float32, mask_square)

    def _kept(
        self, name: str, kind: type[T], of: Callable[[Nodule, int], NDArray[T]]
    ) -> NDArray[T]:
        side = self._card.input_px
        kept = np.memmap(
            self._folder / name, kind, "w+", shape=(len(self._samples), side, side)
        )
        for row, sample in enumerate(self._samples):
            kept[row] = of(sample.load(), side)
        return kept


class ActivationInputs:
    """What frozen layers make of the images, straight and mirrored: computed once, since they never change."""

    def __init__(
        self, pictures: ImageInputs, frozen: nn.Module, device: torch.device, folder: Path
    ) -> None:
        self._device = device
        self._maps = np.zeros((0, 2), np.float32)
        everyone = np.arange(len(pictures))
        for start in range(0, len(everyone), BATCH_IMAGES):
            rows = everyone[start : start + BATCH_IMAGES]
            for side in (0, 1):
                mirrored = np.full(len(rows), bool(side))
                with torch.inference_mode():
                    maps = frozen(pictures.batch(rows, mirrored)).cpu().numpy()
                if not len(self._maps):
                    path = folder / "activations.f32"
                    shape = (len(everyone), 2, *maps.shape[1:])
                    self._maps = np.memmap(path, np.float32, "w+", shape=shape)
                self._maps[rows, side] = maps

    def batch(self, rows: Rows, mirrored: Flags) -> Tensor:
        return torch.from_numpy(self._maps[rows, mirrored.astype(int)]).to(self._device)
