"""The n-th upload of a run: the same bytes whenever seed and number are the same."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from shared.imaging.image import ImageFormat
from trials.fuzz import forms
from trials.fuzz.mutations import spoilt
from trials.fuzz.seeds import SIDE_PX, Seed, seeds

SHARES = {
    ImageFormat.DICOM: 0.4,
    ImageFormat.PNG: 0.2,
    ImageFormat.JPEG: 0.2,
    ImageFormat.TIFF: 0.17,
    ImageFormat.BMP: 0.03,
}
SOUND = 0.03
ODD_FORM = 0.08
WITH_ROI = 0.3
WITH_FRAME = 0.1
"""Shares of uploads that are sent as they are, in an odd form, with an ROI, and with a frame."""
PACKAGED = 0.35
"""Of DICOM uploads, those from pydicom's own files."""
MOST_BYTES = 33 * 2**20
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
    sound = chance.random() < SOUND
    image, mutation = (
        (source.data, "sound") if sound else spoilt(chance, source, seeds())
    )
    image = image[:MOST_BYTES]
    fields = _fields(chance, source.format, number)
    if chance.random() < ODD_FORM:
        oddity = chance.choice(forms.ODDITIES)
        content_type, body = oddity(chance, image, fields)
        mutation += f", {oddity.__name__}"
    else:
        content_type, body = forms.plain(chance, image, fields)
    return Upload(number, source.name, mutation, content_type, body)


def _seed(chance: Random, all_of_them: Sequence[Seed]) -> Seed:
    kind = chance.choices(list(SHARES), list(SHARES.values()))[0]
    packaged = chance.random() < PACKAGED
    told = [each for each in all_of_them if each.format is kind]
    own = [each for each in told if each.name.startswith("pydicom-") == packaged]
    return chance.choice(own or told)


def _fields(chance: Random, kind: ImageFormat, number: int) -> dict[str, str]:
    fields = {"size_mm": "14.5", "external_id": f"fuzz-{number}"}
    if chance.random() < WITH_ROI:
        side = chance.randint(10, SIDE_PX)
        fields["roi"] = json.dumps(
            {"box": [chance.randint(0, 40), chance.randint(0, 40), side, side]}
        )
    if kind is ImageFormat.DICOM and chance.random() < WITH_FRAME:
        fields["frame"] = str(chance.choice((1, 2, 3, 30, 0, 2**31)))
    return fields
