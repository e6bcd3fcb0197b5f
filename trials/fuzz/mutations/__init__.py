"""Ways to spoil a file: blind ones, and ones that know its format. Each is a plain function of
chance and bytes.
"""

from collections.abc import Callable, Sequence
from random import Random

from shared.imaging.image import ImageFormat
from trials.fuzz.mutations import blind, dicom, jpeg, png, tiff
from trials.fuzz.seeds import Seed

Mutation = Callable[[Random, bytes], bytes]
AWARE: dict[ImageFormat, Sequence[Mutation]] = {
    ImageFormat.PNG: png.ALL,
    ImageFormat.JPEG: jpeg.ALL,
    ImageFormat.TIFF: tiff.ALL,
    ImageFormat.DICOM: dicom.ALL,
    ImageFormat.BMP: (),
}
SPLICED = 0.05
SEVERAL = 0.3
"""Shares of uploads that are two files in one, and that are spoilt more than once."""


def spoilt(chance: Random, seed: Seed, others: Sequence[Seed]) -> tuple[bytes, str]:
    """A seed spoilt once or several times, and by what."""
    if chance.random() < SPLICED:
        other = chance.choice(others)
        return blind.spliced(
            chance, seed.data, other.data
        ), f"spliced with {other.name}"
    data = seed.data
    names = []
    for _ in range(chance.randint(2, 4) if chance.random() < SEVERAL else 1):
        mutation = _chosen(chance, seed.format)
        data = mutation(chance, data)
        names.append(mutation.__name__)
    return data, "+".join(names)


def _chosen(chance: Random, kind: ImageFormat) -> Mutation:
    """Half of them know the format."""
    aware = AWARE[kind]
    return (
        chance.choice(aware)
        if aware and chance.random() < 0.5
        else chance.choice(blind.ALL)
    )
