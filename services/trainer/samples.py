"""A dataset's rows as training samples. Pixels are fetched only when they are needed."""

import hashlib
import json
from collections.abc import Sequence
from functools import partial

from shared.imaging import MarkedImage, Roi, decode, read_mask
from shared.learning import Sample
from shared.ledger.datasets.labelled_image import LabelledImage
from shared.objects import ObjectStore
from shared.recipes import Recipe


def make_samples(images: list[LabelledImage], objects: ObjectStore) -> list[Sample]:
    """Build one sample for each image."""
    return [
        Sample(
            key=_key(image),
            malignant=image.malignant,
            read=partial(load_marked_image, objects, image),
            patient=image.patient,
            site=image.site,
        )
        for image in images
    ]


def resolve_recipe(recipe: Recipe, images: Sequence[LabelledImage]) -> Recipe:
    """Return the recipe for these training images, as their masks and ROIs allow."""
    outlined = [image for image in images if image.mask_sha256 or image.roi]
    masked = [image for image in images if image.mask_sha256]
    outlined_share = len(outlined) / len(images) if images else 0.0
    resolved = recipe.with_calipers(outlined_share)
    return resolved.with_outlines(masks=len(masked), images=len(images))


def load_marked_image(objects: ObjectStore, image: LabelledImage) -> MarkedImage:
    """Fetch and decode one labelled image, with its mask or ROI if it has one."""
    decoded = decode(objects.get(image.image_sha256), frame=image.frame)
    roi = Roi.parse(image.roi) if image.roi else None
    mask = None
    if image.mask_sha256:
        height, width = decoded.pixels.shape
        mask = read_mask(objects.get(image.mask_sha256), width=width, height=height)
    return MarkedImage.from_marks(decoded, roi, mask)


def _key(image: LabelledImage) -> str:
    """Return a key of the pixels and their ROI that is the same in every dataset."""
    content: list[object] = [image.image_sha256, image.mask_sha256, image.roi]
    if image.frame is not None:
        content.append(image.frame)
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()
