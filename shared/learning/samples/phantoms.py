"""Phantoms as samples: labelled nodules drawn when they are needed."""

from functools import partial

from shared.imaging.image import ImageFormat, Nodule, UltrasoundImage
from shared.imaging.regions.crop import Framing, crop
from shared.imaging.regions.roi import Roi
from shared.learning.samples.sample import Sample
from shared.phantoms import Phantom, draw


def phantom_samples(count: int, first_seed: int, margin: float) -> list[Sample]:
    """Samples of `count` phantoms of successive seeds, every second malignant; nothing is drawn yet."""
    return [
        Sample(
            f"phantom-{seed}",
            malignant=bool(seed % 2),
            load=partial(draw_nodule, seed, bool(seed % 2), margin),
        )
        for seed in range(first_seed, first_seed + count)
    ]


def draw_nodule(seed: int, malignant: bool, margin: float) -> Nodule:
    """The nodule of a phantom, outlined by its mask."""
    return phantom_nodule(draw(seed, malignant), margin)


def phantom_nodule(phantom: Phantom, margin: float) -> Nodule:
    """Cut a phantom's nodule out as a reader's outline would."""
    image = UltrasoundImage(phantom.pixels, ImageFormat.PNG)
    return crop(image, Roi.from_mask(phantom.mask), Framing(margin))
