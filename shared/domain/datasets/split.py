"""Which images must stay together, and which of them are held back as the test part."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from shared.domain.training.states import Split


def group_name(image: str, patient: str | None, site: str | None) -> str:
    """Name of what must not be split: a patient of a site, or the image where no patient is known.

    `shared.learning.Sample.group` holds to the same rule.
    """
    return f"image {image}" if patient is None else f"patient {site or ''}/{patient}"


@dataclass(frozen=True)
class Group:
    """Images that stay together; `fixed` is the part they are in for ever, if they are in a frozen version."""

    name: str
    images: int
    malignant: bool
    fixed_split: Split | None = None


def draw_test_groups(groups: Iterable[Group], share: float, seed: int) -> dict[str, Split]:
    """Whole groups into test, until it holds about `share` of the benign and of the malignant images.

    A group's place in the draw follows from its name and the seed alone, so it is the same on every machine.
    """
    groups = list(groups)
    strata = (
        [group for group in groups if group.malignant is label]
        for label in (False, True)
    )
    return {
        name: part
        for stratum in strata
        for name, part in _drawn(stratum, share, seed).items()
    }


def _drawn(groups: list[Group], share: float, seed: int) -> dict[str, Split]:
    wanted = share * sum(group.images for group in groups)
    held = sum(group.images for group in groups if group.fixed_split is Split.TEST)
    parts: dict[str, Split] = {}
    for group in sorted(groups, key=lambda group: _place(seed, group.name)):
        part = group.fixed_split or (
            Split.TEST if held + group.images / 2 <= wanted else Split.TRAIN
        )
        held += group.images if part is Split.TEST and group.fixed_split is None else 0
        parts[group.name] = part
    return parts


def _place(seed: int, name: str) -> bytes:
    return hashlib.sha256(f"{seed}\0{name}".encode()).digest()
