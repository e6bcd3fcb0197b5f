"""From samples to feature tables, in batches, so that a data set is never whole in memory as images."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from shared.errors import SeraError
from shared.imaging.crop import Framing
from shared.learning.cache import FeatureCache
from shared.learning.extractors import Array, Extractor
from shared.learning.progress import Progress
from shared.learning.sample import Sample

BATCH = 32
Vectors = tuple[Array, ...]


@dataclass(frozen=True)
class Skipped:
    """An image that could not be read, and the code of the error."""

    key: str
    code: str


@dataclass(frozen=True, eq=False)
class FeatureTable:
    """One row for each image that could be read.

    Attributes
    ----------
    features : for each extractor (N, D) float32
    malignant : (N,) bool
    groups : (N,) str
    skipped : what could not be read
    """

    samples: tuple[Sample, ...]
    features: tuple[Array, ...]
    malignant: NDArray[np.bool_]
    groups: NDArray[np.str_]
    skipped: tuple[Skipped, ...]


def gather(
    samples: Sequence[Sample],
    extractors: Sequence[Extractor],
    cache: FeatureCache,
    framing: Framing,
    progress: Progress,
) -> FeatureTable:
    """Features of all samples; those in the cache are not computed again, and their images not even loaded."""
    desk = _Desk(extractors, cache, framing)
    kept, rows, skipped = [], [], []
    for batch in _batches(samples, BATCH):
        for sample, outcome in zip(batch, desk.vectors(batch), strict=True):
            if isinstance(outcome, SeraError):
                skipped.append(Skipped(sample.key, outcome.code))
            else:
                kept.append(sample)
                rows.append(outcome)
        done = len(kept) + len(skipped)
        progress("features", done / len(samples), f"{done} of {len(samples)} images", {"skipped": len(skipped)})
    return FeatureTable(
        samples=tuple(kept),
        features=tuple(np.stack(column) for column in zip(*rows, strict=True)),
        malignant=np.array([sample.malignant for sample in kept], bool),
        groups=np.array([sample.group for sample in kept], str),
        skipped=tuple(skipped),
    )


class _Desk:
    def __init__(self, extractors: Sequence[Extractor], cache: FeatureCache, framing: Framing) -> None:
        self._extractors, self._cache, self._framing = extractors, cache, framing

    def vectors(self, batch: Sequence[Sample]) -> list[Vectors | SeraError]:
        """For each sample its vectors, or why there are none."""
        known = [self._cached(sample) for sample in batch]
        missing = [place for place, vectors in enumerate(known) if vectors is None]
        outcomes = compute_each(self._extractors, (_loaded(batch[place]) for place in missing))
        for place, outcome in zip(missing, outcomes, strict=True):
            known[place] = outcome
            if not isinstance(outcome, SeraError):
                self._keep(batch[place], outcome)
        return known

    def _cached(self, sample: Sample) -> Vectors | None:
        found = [self._cache.get(self._key(sample, extractor)) for extractor in self._extractors]
        if any(vector is None for vector in found):
            return None
        return tuple(np.frombuffer(vector, "<f4") for vector in found)

    def _keep(self, sample: Sample, vectors: Vectors) -> None:
        for extractor, vector in zip(self._extractors, vectors, strict=True):
            self._cache.put(self._key(sample, extractor), vector.astype("<f4").tobytes())

    def _key(self, sample: Sample, extractor: Extractor) -> str:
        return f"features/{sample.key}/{self._framing}/{extractor.digest}"


def compute_each(extractors: Sequence[Extractor], nodules: Iterable[object]) -> list[Vectors | SeraError]:
    """For each nodule, or error in its place, its vectors or why there are none: a bad image fails alone."""
    prepared = [_prepared(extractors, nodule) for nodule in nodules]
    good = [item for item in prepared if not isinstance(item, SeraError)]
    columns = [
        extractor.compute(column) for extractor, column in zip(extractors, zip(*good, strict=True), strict=False)
    ]
    rows = iter(zip(*columns, strict=True))
    return [item if isinstance(item, SeraError) else next(rows) for item in prepared]


def _prepared(extractors: Sequence[Extractor], nodule: object) -> list[Array] | SeraError:
    if isinstance(nodule, SeraError):
        return nodule
    try:
        return [extractor.prepare(nodule) for extractor in extractors]
    except SeraError as error:
        return error


def _loaded(sample: Sample) -> object:
    """The nodule, or why it cannot be read; an engine that is away is no fault of the image and ends the fit."""
    try:
        return sample.load()
    except SeraError as error:
        if error.retryable:
            raise
        return error


def _batches(samples: Iterable[Sample], size: int) -> Iterator[list[Sample]]:
    rest = iter(samples)
    while batch := list(islice(rest, size)):
        yield batch
