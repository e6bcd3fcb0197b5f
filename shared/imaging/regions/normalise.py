"""Prepares the nodule as the input of a network."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.imaging.image import Nodule


def to_input(
    nodule: Nodule, size_px: int, mean: Sequence[float], std: Sequence[float]
) -> NDArray[np.float32]:
    """Resize to a square and normalise, with the grey repeated in three channels.

    Width and height are scaled separately, as in Lee et al. (2019), who resized ROI images to the
    network's input.

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
    channel_mean = np.asarray(mean, np.float32)[:, None, None]
    channel_std = np.asarray(std, np.float32)[:, None, None]
    return (grey[None] - channel_mean) / channel_std


def to_square(nodule: Nodule, size_px: int) -> NDArray[np.uint8]:
    """Return the nodule's pixels at the network's size, before normalisation, (S, S) uint8 grey."""
    height, width = nodule.pixels.shape
    shrinks = size_px <= height and size_px <= width
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    square = cv2.resize(nodule.pixels, (size_px, size_px), interpolation=interpolation)
    return np.asarray(square, np.uint8)


def mask_square(nodule: Nodule, size_px: int) -> NDArray[np.float32]:
    """Return the nodule's mask at the network's size, (S, S) float32, 1 inside."""
    mask = nodule.mask.astype(np.float32)
    square = cv2.resize(mask, (size_px, size_px), interpolation=cv2.INTER_LINEAR)
    return np.asarray(square, np.float32)
