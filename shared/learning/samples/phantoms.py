"""Phantoms as samples: labelled images that are drawn when they are read."""

from functools import partial

from shared.imaging.image import ImageFormat, Nodule, UltrasoundImage
from shared.imaging.regions.crop import Framing, crop
from shared.imaging.regions.marked_image import MarkedImage
from shared.imaging.regions.roi import Roi
from shared.learning.samples.sample import Sample
from shared.phantoms import Phantom, draw


def phantom_samples(count: int, first_seed: int) -> list[Sample]:
    """Return samples of `count` phantoms with successive seeds; every second one is malignant.

    Nothing is drawn before a sample is read.
    """
    samples = []
    for seed in range(first_seed, first_seed + count):
        malignant = bool(seed % 2)
        read = partial(draw_image, seed, malignant)
        samples.append(Sample(f"phantom-{seed}", read, malignant=malignant))
    return samples


def draw_image(seed: int, malignant: bool) -> MarkedImage:
    """Draw the image of a phantom, with its nodule outlined by its mask."""
    return phantom_image(draw(seed, malignant))


def phantom_image(phantom: Phantom) -> MarkedImage:
    """Return a phantom's image, with its mask as the outline of its nodule."""
    image = UltrasoundImage(phantom.pixels, ImageFormat.PNG)
    return MarkedImage(image, Roi.from_mask(phantom.mask))


def phantom_nodule(phantom: Phantom, margin: float) -> Nodule:
    """Return a phantom's nodule, cut out with its mask as the outline."""
    marked = phantom_image(phantom)
    return crop(marked.image, marked.roi, Framing(margin))
