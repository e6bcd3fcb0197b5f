"""Mutates image files, with and without knowledge of the format.

Each mutation is a plain function of a random generator and the bytes.
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
"""The share of uploads that join the start of one file and the end of another."""
REPEATED_SHARE = 0.3
"""The share of uploads with several mutations."""


def mutate(chance: Random, seed: Seed, seeds: Sequence[Seed]) -> tuple[bytes, str]:
    """Mutate a seed once or several times; return the bytes and the names of the mutations."""
    if chance.random() < SPLICED_SHARE:
        spliced_seed = chance.choice(seeds)
        data = blind.spliced(chance, seed.data, spliced_seed.data)
        return data, f"spliced with {spliced_seed.name}"
    data = seed.data
    names = []
    count = chance.randint(2, 4) if chance.random() < REPEATED_SHARE else 1
    for _ in range(count):
        mutation = _choose_mutation(chance, seed.format)
        data = mutation(chance, data)
        names.append(mutation.__name__)
    return data, "+".join(names)


def _choose_mutation(chance: Random, image_format: ImageFormat) -> Mutation:
    """A mutation of the format half of the time, otherwise a blind one."""
    format_mutations = FORMAT_MUTATIONS[image_format]
    if format_mutations and chance.random() < 0.5:
        return chance.choice(format_mutations)
    return chance.choice(blind.ALL)
