"""A dataset's rows as samples to learn from; pixels are fetched when they are needed."""

import hashlib
import json
from functools import partial

from shared.imaging import Framing, Nodule, Roi, crop, decode, read_outline
from shared.learning import Sample
from shared.ledger.datasets.labelled_image import LabelledImage
from shared.objects import ObjectStore


def samples(
    images: list[LabelledImage], objects: ObjectStore, framing: Framing
) -> list[Sample]:
    """One sample for each image, cut out as the recipe wants it."""
    return [
        Sample(
            key=_key(image),
            malignant=image.malignant,
            load=partial(nodule, objects, image, framing),
            patient=image.patient,
            site=image.site,
        )
        for image in images
    ]


def outlined(images: list[LabelledImage]) -> float:
    """Share of the images that came with a mask or ROI."""
    return sum(bool(image.mask_sha256 or image.roi) for image in images) / max(
        len(images), 1
    )


def nodule(objects: ObjectStore, image: LabelledImage, framing: Framing) -> Nodule:
    """Fetch, decode and crop one labelled image, by its mask or ROI where it has one."""
    pixels = decode(objects.get(image.image_sha256), frame=image.frame)
    height, width = pixels.pixels.shape
    return crop(pixels, roi(objects, image, width, height), framing)


def roi(
    objects: ObjectStore, image: LabelledImage, width: int, height: int
) -> Roi | None:
    """The ROI a reader drew, as a mask or by its corners."""
    if image.mask_sha256:
        return read_outline(objects.get(image.mask_sha256), width, height)
    return Roi.parse(image.roi) if image.roi else None


def _key(image: LabelledImage) -> str:
    """Names the pixels and their ROI, whatever dataset they are in."""
    frame = [] if image.frame is None else [image.frame]
    return hashlib.sha256(
        json.dumps([image.image_sha256, image.mask_sha256, image.roi, *frame]).encode()
    ).hexdigest()
