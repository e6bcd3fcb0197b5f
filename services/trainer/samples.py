"""A dataset's rows as training samples. Pixels are fetched only when they are needed."""

import hashlib
import json
from functools import partial

from shared.imaging import Framing, Nodule, Roi, crop, decode, read_mask
from shared.learning import Sample
from shared.ledger.datasets.labelled_image import LabelledImage
from shared.objects import ObjectStore


def make_samples(
    images: list[LabelledImage], objects: ObjectStore, framing: Framing
) -> list[Sample]:
    """Build one sample for each image, cropped as the recipe requires."""
    return [
        Sample(
            key=_key(image),
            malignant=image.malignant,
            load=partial(load_nodule, objects, image, framing),
            patient=image.patient,
            site=image.site,
        )
        for image in images
    ]


def outlined_share(images: list[LabelledImage]) -> float:
    """Return the share of images with a mask or an ROI, 0 to 1."""
    if not images:
        return 0.0
    outlined = [image for image in images if image.mask_sha256 or image.roi]
    return len(outlined) / len(images)


def load_nodule(objects: ObjectStore, image: LabelledImage, framing: Framing) -> Nodule:
    """Fetch, decode and crop one labelled image, by its mask or ROI if it has one."""
    decoded = decode(objects.get(image.image_sha256), frame=image.frame)
    height, width = decoded.pixels.shape
    roi = load_roi(objects, image, width=width, height=height)
    return crop(decoded, roi, framing)


def load_roi(
    objects: ObjectStore, image: LabelledImage, width: int, height: int
) -> Roi | None:
    """Load the ROI that a person drew: what the mask marks, else the corners."""
    roi = Roi.parse(image.roi) if image.roi else None
    if image.mask_sha256:
        mask = read_mask(objects.get(image.mask_sha256), width, height)
        roi = mask.roi or roi
    return roi


def _key(image: LabelledImage) -> str:
    """Return a key of the pixels and their ROI that is the same in every dataset."""
    content: list[object] = [image.image_sha256, image.mask_sha256, image.roi]
    if image.frame is not None:
        content.append(image.frame)
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()
