"""The inputs of the tuned layers, in files, so that not all images are in memory at once."""

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
from shared.learning.samples.nodules import NoduleReader
from shared.learning.samples.sample import Sample
from shared.networks import NetworkCard

Rows = NDArray[np.int64]
Flags = NDArray[np.bool_]
BATCH_IMAGES = 32
T = TypeVar("T", bound=np.generic)


class LayerInputs(Protocol):
    """Gives the inputs of the tuned layers."""

    def batch(self, rows: Rows, mirrored: Flags) -> Tensor:
        """Return the inputs of these images, (B, C, H, W) or (B, C), on the device.

        Parameters
        ----------
        rows : (B,)
        mirrored : (B,) which images are mirrored left to right
        """
        ...


class ImageInputs:
    """The images themselves, normalised as the network's card says.

    They are loaded once and then read from a file.

    Parameters
    ----------
    samples : N readable images
    nodules : how their nodules are cut out
    folder : for the files of the images, (S, S) grey each
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        nodules: NoduleReader,
        card: NetworkCard,
        device: torch.device,
        folder: Path,
    ) -> None:
        self._samples = samples
        self._nodules = nodules
        self._card = card
        self._device = device
        self._folder = folder
        normalisation = card.normalisation
        mean = torch.tensor(normalisation.mean, device=device)
        std = torch.tensor(normalisation.std, device=device)
        self._mean = mean[:, None, None]
        self._std = std[:, None, None]
        self._squares = self._write_file("pictures", np.uint8, to_square)

    def __len__(self) -> int:
        return len(self._squares)

    def batch(self, rows: Rows, mirrored: Flags) -> Tensor:
        """Return the images (B, 3, S, S)."""
        squares = torch.from_numpy(self._squares[rows]).to(self._device)
        grey = squares.unsqueeze(1) / 255
        flags = torch.from_numpy(mirrored).to(self._device)
        images = torch.where(flags[:, None, None, None], grey.flip(-1), grey)
        return (images - self._mean) / self._std

    def extractor_inputs(self, rows: Rows, with_mask: bool) -> NDArray[np.float32]:
        """Return these images as an extractor prepares them.

        Returns
        -------
        (B, 3, S, S), or (B, 4, S, S) with the nodule's mask
        """
        not_mirrored = np.zeros(len(rows), bool)
        images = self.batch(rows, not_mirrored).cpu().numpy()
        if not with_mask:
            return images
        masks = self._masks[rows][:, np.newaxis]
        return np.concatenate([images, masks], axis=1)

    @cached_property
    def _masks(self) -> NDArray[np.float32]:
        return self._write_file("masks", np.float32, mask_square)

    def _write_file(
        self, name: str, kind: type[T], make_square: Callable[[Nodule, int], NDArray[T]]
    ) -> NDArray[T]:
        """Write one square for each image into a file, and map the file as (N, S, S)."""
        side = self._card.input_px
        shape = (len(self._samples), side, side)
        squares = np.memmap(self._folder / name, kind, "w+", shape=shape)
        for row, sample in enumerate(self._samples):
            squares[row] = make_square(self._nodules.nodule(sample), side)
        return squares


class ActivationInputs:
    """The output of the frozen layers for each image and its mirror image.

    It is computed once, because the frozen layers never change.
    """

    def __init__(
        self, images: ImageInputs, frozen: nn.Module, device: torch.device, folder: Path
    ) -> None:
        self._device = device
        self._maps = np.zeros((0, 2), np.float32)
        all_rows = np.arange(len(images))
        for start in range(0, len(all_rows), BATCH_IMAGES):
            rows = all_rows[start : start + BATCH_IMAGES]
            for side in (0, 1):
                mirrored = np.full(len(rows), bool(side))
                with torch.inference_mode():
                    maps = frozen(images.batch(rows, mirrored)).cpu().numpy()
                if not len(self._maps):
                    path = folder / "activations.f32"
                    shape = (len(all_rows), 2, *maps.shape[1:])
                    self._maps = np.memmap(path, np.float32, "w+", shape=shape)
                self._maps[rows, side] = maps

    def batch(self, rows: Rows, mirrored: Flags) -> Tensor:
        maps = self._maps[rows, mirrored.astype(int)]
        return torch.from_numpy(maps).to(self._device)
