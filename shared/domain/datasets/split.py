"""Splits a dataset: the images that must stay together, and the groups of the test part."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from shared.domain.training.states import Split


def group_name(image: str, patient: str | None, site: str | None) -> str:
    """Return the name of the group that an image belongs to. A group must not be split.

    A group is a patient of a site, or a single image if its patient is unknown.
    `shared.learning.Sample.group` follows the same rule.
    """
    if patient is None:
        return f"image {image}"
    return f"patient {site or ''}/{patient}"


@dataclass(frozen=True)
class Group:
    """Images that stay together.

    `fixed_split` is the part of a group in a frozen version, which cannot change.
    """

    name: str
    image_count: int
    malignant: bool
    fixed_split: Split | None = None


def draw_test_groups(
    groups: Iterable[Group], share: float, seed: int
) -> dict[str, Split]:
    """Draw the test part, and return the part of each group, by its name.

    Whole groups go into the test part until it has about `share` of the benign and of the
    malignant images. The position of a group in the draw depends only on its name and the seed, so
    the draw is the same on every machine.
    """
    groups = list(groups)
    benign = [group for group in groups if not group.malignant]
    malignant = [group for group in groups if group.malignant]
    return _split_stratum(benign, share, seed) | _split_stratum(malignant, share, seed)


def _split_stratum(groups: list[Group], share: float, seed: int) -> dict[str, Split]:
    target_images = share * sum(group.image_count for group in groups)
    test_images = sum(
        group.image_count for group in groups if group.fixed_split is Split.TEST
    )
    parts: dict[str, Split] = {}
    for group in sorted(groups, key=lambda group: _draw_position(seed, group.name)):
        if group.fixed_split is not None:
            parts[group.name] = group.fixed_split
        elif test_images + group.image_count / 2 <= target_images:
            parts[group.name] = Split.TEST
            test_images += group.image_count
        else:
            parts[group.name] = Split.TRAIN
    return parts


def _draw_position(seed: int, name: str) -> bytes:
    return hashlib.sha256(f"{seed}\0{name}".encode()).digest()
