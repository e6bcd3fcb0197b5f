"""From the nodule to what a network takes in."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.imaging.image import Nodule


def to_input(
    nodule: Nodule, size_px: int, mean: Sequence[float], std: Sequence[float]
) -> NDArray[np.float32]:
    """Resize to a square and normalise, the grey repeated in three channels.

    The sides are scaled apart, as in Lee et al. (2019), who resized ROI images to the network's input.

    Parameters
    ----------
    nodule : its `pixels` (h, w) uint8
    size_px : side S of the network's input
    mean, std : of each channel, on the scale where white is 1

    Returns
    -------
    (3, S, S) float32
    """
    grey = to_square(nodule, size_px).astype(np.float32) / np.float32(255)
    mean_, std_ = (
        np.asarray(values, np.float32)[:, None, None] for values in (mean, std)
    )
    return (grey[None] - mean_) / std_


def to_square(nodule: Nodule, size_px: int) -> NDArray[np.uint8]:
    """The nodule's pixels as a network sees them, (S, S) uint8 grey, before they are normalised."""
    height, width = nodule.pixels.shape
    shrinks = size_px <= height and size_px <= width
    square = cv2.resize(
        nodule.pixels,
        (size_px, size_px),
        interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR,
    )
    return np.asarray(square, np.uint8)


def mask_square(nodule: Nodule, size_px: int) -> NDArray[np.float32]:
    """The nodule's mask at the size of a network's input, (S, S), 1 inside."""
    mask = cv2.resize(
        nodule.mask.astype(np.float32),
        (size_px, size_px),
        interpolation=cv2.INTER_LINEAR,
    )
    return np.asarray(mask, np.float32)
