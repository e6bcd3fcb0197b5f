"""Phantoms as samples: labelled nodules that are drawn when they are loaded."""

from functools import partial

from shared.imaging.image import ImageFormat, Nodule, UltrasoundImage
from shared.imaging.regions.crop import Framing, crop
from shared.imaging.regions.roi import Roi
from shared.learning.samples.sample import Sample
from shared.phantoms import Phantom, draw


def phantom_samples(count: int, first_seed: int, margin: float) -> list[Sample]:
    """Return samples of `count` phantoms with successive seeds; every second one is malignant.

    Nothing is drawn before a sample is loaded.
    """
    samples = []
    for seed in range(first_seed, first_seed + count):
        malignant = bool(seed % 2)
        load = partial(draw_nodule, seed, malignant, margin)
        samples.append(Sample(f"phantom-{seed}", malignant=malignant, load=load))
    return samples


def draw_nodule(seed: int, malignant: bool, margin: float) -> Nodule:
    """Draw the nodule of a phantom, outlined by its mask."""
    return phantom_nodule(draw(seed, malignant), margin)


def phantom_nodule(phantom: Phantom, margin: float) -> Nodule:
    """Return a phantom's nodule, cut out with its mask as the outline."""
    image = UltrasoundImage(phantom.pixels, ImageFormat.PNG)
    return crop(image, Roi.from_mask(phantom.mask), Framing(margin))
