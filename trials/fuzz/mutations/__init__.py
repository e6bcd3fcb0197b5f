"""Mutations of files: blind ones, and ones that know the format. Each is a plain function of
a random generator and bytes.
"""

from collections.abc import Callable, Sequence
from random import Random

from shared.imaging.image import ImageFormat
from trials.fuzz.mutations import blind, dicom, jpeg, png, tiff
from trials.fuzz.seeds import Seed

Mutation = Callable[[Random, bytes], bytes]
FORMAT_MUTATIONS: dict[ImageFormat, Sequence[Mutation]] = {
    ImageFormat.PNG: png.ALL,
    ImageFormat.JPEG: jpeg.ALL,
    ImageFormat.TIFF: tiff.ALL,
    ImageFormat.DICOM: dicom.ALL,
    ImageFormat.BMP: (),
}
SPLICED_SHARE = 0.05
REPEATED_SHARE = 0.3
"""Shares of uploads that are two files in one, and that are mutated more than once."""


def mutate(chance: Random, seed: Seed, seeds: Sequence[Seed]) -> tuple[bytes, str]:
    """Mutate a seed once or several times; return the bytes and the names of the mutations."""
    if chance.random() < SPLICED_SHARE:
        spliced_seed = chance.choice(seeds)
        return blind.spliced(
            chance, seed.data, spliced_seed.data
        ), f"spliced with {spliced_seed.name}"
    data = seed.data
    names = []
    for _ in range(chance.randint(2, 4) if chance.random() < REPEATED_SHARE else 1):
        mutation = _choose_mutation(chance, seed.format)
        data = mutation(chance, data)
        names.append(mutation.__name__)
    return data, "+".join(names)


def _choose_mutation(chance: Random, kind: ImageFormat) -> Mutation:
    """Half of them know the format."""
    aware = FORMAT_MUTATIONS[kind]
    return (
        chance.choice(aware)
        if aware and chance.random() < 0.5
        else chance.choice(blind.ALL)
    )
