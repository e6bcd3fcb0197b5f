"""Changes a picture as another machine or another operator would have."""

from io import BytesIO

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Grey = NDArray[np.float32]
"""(height, width), 0 to 1."""
MAX_LOG_GAMMA = 0.4
GAIN = (0.7, 1.3)
MAX_OFFSET = 0.08
DEPTH_GAIN = (0.8, 1.2)
DEPTH_KNOTS = 4
BLUR_SHARE = 0.3
BLUR_PX = (0.3, 1.2)
SPECKLE_SHARE = 0.3
MAX_SPECKLE = 0.2
COMPRESSION_SHARE = 0.3
COMPRESSION_QUALITY = (30, 90)


def vary_machine(picture: Grey, random: np.random.Generator) -> Grey:
    """Return the picture with other settings of the machine, drawn at random.

    Dynamic range and gain change always, and so does the time-gain curve, along the depth. Blur,
    speckle and compression come with some pictures.
    """
    varied = _vary_curve(picture, random)
    if random.random() < SPECKLE_SHARE:
        spread = random.uniform(0, MAX_SPECKLE)
        varied = varied * random.normal(1, spread, varied.shape)
    if random.random() < BLUR_SHARE:
        sigma_px = random.uniform(*BLUR_PX)
        varied = np.asarray(cv2.GaussianBlur(varied, (0, 0), sigma_px), np.float64)
    varied = np.clip(varied, 0, 1)
    if random.random() < COMPRESSION_SHARE:
        varied = _compress(varied, int(random.integers(*COMPRESSION_QUALITY)))
    return varied.astype(np.float32)


def _vary_curve(picture: Grey, random: np.random.Generator) -> NDArray[np.float64]:
    """Change dynamic range (gamma), gain, offset, and the gain along the depth."""
    gamma = np.exp(random.uniform(-MAX_LOG_GAMMA, MAX_LOG_GAMMA))
    gain = random.uniform(*GAIN)
    offset = random.uniform(-MAX_OFFSET, MAX_OFFSET)
    depths = np.arange(len(picture))
    knots = np.linspace(0, len(picture), DEPTH_KNOTS)
    depth_gain = np.interp(depths, knots, random.uniform(*DEPTH_GAIN, DEPTH_KNOTS))
    varied = picture.astype(np.float64) ** gamma * gain + offset
    return np.asarray(varied * depth_gain[:, np.newaxis], np.float64)


def _compress(picture: NDArray[np.float64], quality: int) -> NDArray[np.float64]:
    """Save as JPEG and read again."""
    grey = Image.fromarray(np.rint(picture * 255).astype(np.uint8))
    with BytesIO() as file:
        grey.save(file, "JPEG", quality=quality)
        return np.asarray(Image.open(file), np.float64) / 255
