"""From samples to feature tables, in batches, so that a data set is never whole in memory as images."""

import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from shared.domain.messages import Message
from shared.errors import SeraError
from shared.imaging.image import Nodule
from shared.imaging.regions.crop import Framing
from shared.learning.features.cache import FeatureCache
from shared.learning.features.extractors import Array, Extractor
from shared.learning.progress import ProgressCallback
from shared.learning.samples.sample import Sample

BATCH_IMAGES = 32
Vectors = tuple[Array, ...]


@dataclass(frozen=True)
class SkippedImage:
    """An image that could not be read, and the code of the error."""

    key: str
    code: str


@dataclass(frozen=True, eq=False)
class FeatureTable:
    """One row for each image that could be read.

    Attributes
    ----------
    features : for each extractor (N, D) float32; they may lie on disk
    digests : of each extractor
    malignant : (N,) bool
    groups : (N,) str
    skipped : what could not be read
    """

    samples: tuple[Sample, ...]
    features: tuple[Array, ...]
    digests: tuple[str, ...]
    skipped: tuple[SkippedImage, ...]

    @cached_property
    def malignant(self) -> NDArray[np.bool_]:
        return np.array([sample.malignant for sample in self.samples], bool)

    @cached_property
    def groups(self) -> NDArray[np.str_]:
        return np.array([sample.group for sample in self.samples], str)


def gather_features(
    samples: Sequence[Sample],
    extractors: Sequence[Extractor],
    cache: FeatureCache,
    framing: Framing,
    progress: ProgressCallback,
    folder: Path,
) -> FeatureTable:
    """Features of all samples; those in the cache are not computed again, and their images not even loaded.

    Rows go to files in `folder` as they come, so that memory does not grow with the data set.
    """
    desk = _Desk(extractors, cache, framing)
    kept: list[Sample] = []
    skipped: list[SkippedImage] = []
    with ExitStack() as opened:
        rolls = [
            opened.enter_context(RowFile(_new_file(folder), extractor.width))
            for extractor in extractors
        ]
        for batch in _watched(samples, skipped, progress):
            for sample, outcome in zip(batch, desk.vectors(batch), strict=True):
                if isinstance(outcome, SeraError):
                    skipped.append(SkippedImage(sample.key, outcome.code))
                    continue
                kept.append(sample)
                for roll, vector in zip(rolls, outcome, strict=True):
                    roll.add(vector)
    digests = tuple(extractor.digest for extractor in extractors)
    return FeatureTable(
        tuple(kept), tuple(roll.table() for roll in rolls), digests, tuple(skipped)
    )


def precompute_features(
    samples: Sequence[Sample],
    extractors: Sequence[Extractor],
    cache: FeatureCache,
    framing: Framing,
    progress: ProgressCallback,
) -> tuple[int, list[SkippedImage]]:
    """Put what is missing into the cache; returns how many images were computed, and which cannot be read."""
    desk = _Desk(extractors, cache, framing)
    computed = 0
    skipped: list[SkippedImage] = []
    for batch in _watched(samples, skipped, progress):
        for sample, outcome in desk.missing(batch):
            computed += not isinstance(outcome, SeraError)
            if isinstance(outcome, SeraError):
                skipped.append(SkippedImage(sample.key, outcome.code))
    return computed, skipped


class RowFile:
    """Rows of equal width, written to a file one after another and read back as one table."""

    def __init__(self, path: Path, width: int) -> None:
        self._path = path
        self._width = width
        self._count = 0
        self._file = path.open("wb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, row: Array) -> None:
        self._file.write(row.astype("<f4").tobytes())
        self._count += 1

    def table(self) -> Array:
        """(rows, width) float32, read from the file where it is needed; once the file is closed."""
        return memory_mapped_rows(self._path, self._width)


def memory_mapped_rows(path: Path, width: int) -> Array:
    """A file's rows (N, width) float32, read where they are needed."""
    if not path.stat().st_size:
        return np.zeros((0, width), np.float32)
    return np.asarray(np.memmap(path, "<f4", "r").reshape(-1, width))


class _Desk:
    def __init__(
        self, extractors: Sequence[Extractor], cache: FeatureCache, framing: Framing
    ) -> None:
        self._extractors = extractors
        self._cache = cache
        self._framing = framing

    def vectors(self, batch: Sequence[Sample]) -> list[Vectors | SeraError]:
        """For each sample its vectors, or why there are none."""
        cached = {sample.key: self._cached(sample) for sample in batch}
        computed = {
            sample.key: outcome for sample, outcome in self._compute(batch, cached)
        }
        outcomes: list[Vectors | SeraError] = []
        for sample in batch:
            vectors = cached[sample.key]
            outcomes.append(computed[sample.key] if vectors is None else vectors)
        return outcomes

    def missing(
        self, batch: Sequence[Sample]
    ) -> list[tuple[Sample, Vectors | SeraError]]:
        """Those that were not in the cache, computed."""
        return self._compute(
            batch, {sample.key: self._cached(sample) for sample in batch}
        )

    def _compute(
        self, batch: Sequence[Sample], known: Mapping[str, Vectors | None]
    ) -> list[tuple[Sample, Vectors | SeraError]]:
        missing = [sample for sample in batch if known[sample.key] is None]
        outcomes = compute_vectors(self._extractors, map(_loaded, missing))
        for sample, outcome in zip(missing, outcomes, strict=True):
            if not isinstance(outcome, SeraError):
                self._keep(sample, outcome)
        return list(zip(missing, outcomes, strict=True))

    def _cached(self, sample: Sample) -> Vectors | None:
        vectors = []
        for extractor in self._extractors:
            vector = self._cache.get(self._key(sample, extractor))
            if vector is None:
                return None
            vectors.append(np.frombuffer(vector, "<f4"))
        return tuple(vectors)

    def _keep(self, sample: Sample, vectors: Vectors) -> None:
        for extractor, vector in zip(self._extractors, vectors, strict=True):
            self._cache.put(
                self._key(sample, extractor), vector.astype("<f4").tobytes()
            )

    def _key(self, sample: Sample, extractor: Extractor) -> str:
        return f"features/{sample.key}/{self._framing}/{extractor.digest}"


def compute_vectors(
    extractors: Sequence[Extractor], nodules: Iterable[Nodule | SeraError]
) -> list[Vectors | SeraError]:
    """For each nodule, or error in its place, its vectors or why there are none: a bad image fails alone."""
    prepared = [_prepared(extractors, nodule) for nodule in nodules]
    good = [item for item in prepared if not isinstance(item, SeraError)]
    columns = [
        extractor.compute(column)
        for extractor, column in zip(extractors, zip(*good, strict=True), strict=False)
    ]
    rows = iter(zip(*columns, strict=True))
    return [item if isinstance(item, SeraError) else next(rows) for item in prepared]


def _prepared(
    extractors: Sequence[Extractor], nodule: Nodule | SeraError
) -> list[Array] | SeraError:
    if isinstance(nodule, SeraError):
        return nodule
    try:
        return [extractor.prepare(nodule) for extractor in extractors]
    except SeraError as error:
        return error


def _loaded(sample: Sample) -> Nodule | SeraError:
    """The nodule, or why it cannot be read; an engine that is away is no fault of the image and ends the fit."""
    try:
        return sample.load()
    except SeraError as error:
        if error.retryable:
            raise
        return error


def _watched(
    samples: Sequence[Sample], skipped: Sequence[SkippedImage], progress: ProgressCallback
) -> Iterator[Sequence[Sample]]:
    """Samples in batches; says after each how far it has come."""
    for start in range(0, len(samples), BATCH_IMAGES):
        batch = samples[start : start + BATCH_IMAGES]
        yield batch
        done = start + len(batch)
        message = Message("progress-images", {"done": done, "images": len(samples)})
        progress("features", done / len(samples), message, {"skipped": len(skipped)})


def _new_file(folder: Path) -> Path:
    handle, path = tempfile.mkstemp(prefix="table-", dir=folder)
    os.close(handle)
    return Path(path)
