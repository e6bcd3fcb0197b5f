"""The n-th upload of a run: the same bytes whenever seed and number are the same."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from shared.imaging.image import ImageFormat
from trials.fuzz import forms
from trials.fuzz.mutations import mutate
from trials.fuzz.seeds import SIDE_PX, Seed, seeds

SHARES = {
    ImageFormat.DICOM: 0.4,
    ImageFormat.PNG: 0.2,
    ImageFormat.JPEG: 0.2,
    ImageFormat.TIFF: 0.17,
    ImageFormat.BMP: 0.03,
}
UNCHANGED_SHARE = 0.03
ODD_FORM_SHARE = 0.08
ROI_SHARE = 0.3
FRAME_SHARE = 0.1
"""Shares of uploads that are sent as they are, in an odd form, with an ROI, and with a frame."""
PACKAGED_SHARE = 0.35
"""Of DICOM uploads, those from pydicom's own files."""
MAX_BYTES = 33 * 2**20
"""A little more than is let in."""


@dataclass(frozen=True)
class Upload:
    """A request's body and content type, with where they came from."""

    number: int
    seed_name: str
    mutation: str
    content_type: str
    body: bytes

    def __str__(self) -> str:
        return f"{self.number}: {self.seed_name}, {self.mutation}"


def upload(seed: int, number: int) -> Upload:
    """The upload of this number in the run of this seed."""
    chance = Random(f"{seed}/{number}")
    source = _seed(chance, seeds())
    sound = chance.random() < UNCHANGED_SHARE
    image, mutation = (
        (source.data, "sound") if sound else mutate(chance, source, seeds())
    )
    image = image[:MAX_BYTES]
    fields = _fields(chance, source.format, number)
    if chance.random() < ODD_FORM_SHARE:
        oddity = chance.choice(forms.ODDITIES)
        content_type, body = oddity(chance, image, fields)
        mutation += f", {oddity.__name__}"
    else:
        content_type, body = forms.plain(chance, image, fields)
    return Upload(number, source.name, mutation, content_type, body)


def _seed(chance: Random, seeds: Sequence[Seed]) -> Seed:
    kind = chance.choices(list(SHARES), list(SHARES.values()))[0]
    is_packaged = chance.random() < PACKAGED_SHARE
    candidates = [seed for seed in seeds if seed.format is kind]
    packaged_candidates = [
        seed for seed in candidates if seed.name.startswith("pydicom-") == is_packaged
    ]
    return chance.choice(packaged_candidates or candidates)


def _fields(chance: Random, kind: ImageFormat, number: int) -> dict[str, str]:
    fields = {"size_mm": "14.5", "external_id": f"fuzz-{number}"}
    if chance.random() < ROI_SHARE:
        side = chance.randint(10, SIDE_PX)
        fields["roi"] = json.dumps(
            {"box": [chance.randint(0, 40), chance.randint(0, 40), side, side]}
        )
    if kind is ImageFormat.DICOM and chance.random() < FRAME_SHARE:
        fields["frame"] = str(chance.choice((1, 2, 3, 30, 0, 2**31)))
    return fields
