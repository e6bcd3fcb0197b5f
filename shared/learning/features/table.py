"""Extracts the features of samples in batches, so that not all images are in memory at once."""

import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from shared.domain.messages import Message
from shared.errors import SeraError
from shared.imaging.image import Nodule
from shared.learning.features.cache import FeatureCache
from shared.learning.features.extractors import Array, Extractor
from shared.learning.progress import ProgressCallback
from shared.learning.samples.nodules import NoduleReader
from shared.learning.samples.sample import Sample

BATCH_IMAGES = 32
Vectors = tuple[Array, ...]
"""The features of one image, one vector for each extractor."""


@dataclass(frozen=True)
class SkippedImage:
    """An image that cannot be read, and the code of the error."""

    key: str
    code: str


class TableView(NamedTuple):
    """The features of a table's images as a fit reads them in one way, and the weight of the rows.

    Attributes
    ----------
    features : for each extractor (N, D) float32, possibly in a file
    """

    features: tuple[Array, ...]
    weight: float


@dataclass(frozen=True, eq=False)
class FeatureTable:
    """The features of all readable images, one row each.

    Attributes
    ----------
    features : for each extractor (N, D) float32, possibly in a file
    digests : the digest of each extractor
    malignant : (N,) bool
    groups : (N,) str
    skipped : the images that cannot be read
    views : the ways in which a fit reads the images; empty: it reads `features`
    """

    samples: tuple[Sample, ...]
    features: tuple[Array, ...]
    digests: tuple[str, ...]
    skipped: tuple[SkippedImage, ...]
    views: tuple[TableView, ...] = ()

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
    nodules: NoduleReader,
    progress: ProgressCallback,
    folder: Path,
) -> FeatureTable:
    """Return the features of all samples.

    Images whose features are in the cache are not loaded. Rows are written to files in `folder`, so
    that memory does not grow with the data set.
    """
    extraction = _CachedExtraction(extractors, cache, nodules)
    readable: list[Sample] = []
    skipped: list[SkippedImage] = []
    with ExitStack() as open_files:
        row_files = []
        for extractor in extractors:
            row_file = RowFile(_create_file(folder), extractor.width)
            row_files.append(open_files.enter_context(row_file))
        for batch in _batches(samples, skipped, progress):
            outcomes = extraction.vectors(batch)
            for sample, outcome in zip(batch, outcomes, strict=True):
                if isinstance(outcome, SeraError):
                    skipped.append(SkippedImage(key=sample.key, code=outcome.code))
                    continue
                readable.append(sample)
                for row_file, vector in zip(row_files, outcome, strict=True):
                    row_file.add(vector)
    return FeatureTable(
        samples=tuple(readable),
        features=tuple(row_file.table() for row_file in row_files),
        digests=tuple(extractor.digest for extractor in extractors),
        skipped=tuple(skipped),
    )


def gather_differently(
    table: FeatureTable,
    nodules: NoduleReader,
    extractors: Sequence[Extractor],
    cache: FeatureCache,
    progress: ProgressCallback,
    folder: Path,
) -> tuple[Array, ...]:
    """Return the features (N, D) of a table's images, with the nodules cut out by another reader.

    An image that it cannot read has the features that the table has.
    """
    gathered = gather_features(
        table.samples,
        extractors=extractors,
        cache=cache,
        nodules=nodules,
        progress=progress,
        folder=folder,
    )
    if not gathered.skipped:
        return gathered.features
    row_by_key = {sample.key: row for row, sample in enumerate(table.samples)}
    rows = [row_by_key[sample.key] for sample in gathered.samples]
    features = []
    for own, values in zip(table.features, gathered.features, strict=True):
        merged = np.array(own)
        merged[rows] = values
        features.append(merged)
    return tuple(features)


def precompute_features(
    samples: Sequence[Sample],
    extractors: Sequence[Extractor],
    cache: FeatureCache,
    nodules: NoduleReader,
    progress: ProgressCallback,
) -> tuple[int, list[SkippedImage]]:
    """Put missing features into the cache.

    Returns
    -------
    the number of images that were computed, and the images that cannot be read
    """
    extraction = _CachedExtraction(extractors, cache, nodules)
    computed = 0
    skipped: list[SkippedImage] = []
    for batch in _batches(samples, skipped, progress):
        for sample, outcome in extraction.compute_missing(batch):
            if isinstance(outcome, SeraError):
                skipped.append(SkippedImage(key=sample.key, code=outcome.code))
            else:
                computed += 1
    return computed, skipped


class RowFile:
    """A file of rows of equal width, which are appended one by one and read as one table."""

    def __init__(self, path: Path, width: int) -> None:
        self._path = path
        self._width = width
        self._file = path.open("wb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, row: Array) -> None:
        self._file.write(row.astype("<f4").tobytes())

    def table(self) -> Array:
        """Return the closed file's rows (N, width) float32, read from the file on access."""
        return memory_mapped_rows(self._path, self._width)


def memory_mapped_rows(path: Path, width: int) -> Array:
    """Return a file's rows (N, width) float32, read from the file on access."""
    if not path.stat().st_size:
        return np.zeros((0, width), np.float32)
    return np.asarray(np.memmap(path, "<f4", "r").reshape(-1, width))


class _CachedExtraction:
    """Extracts features, except those that are in the cache already."""

    def __init__(
        self,
        extractors: Sequence[Extractor],
        cache: FeatureCache,
        nodules: NoduleReader,
    ) -> None:
        self._extractors = extractors
        self._cache = cache
        self._nodules = nodules

    def vectors(self, batch: Sequence[Sample]) -> list[Vectors | SeraError]:
        """Return the vectors or the error of each sample."""
        cached = self._cached_by_key(batch)
        computed = {
            sample.key: outcome for sample, outcome in self._compute(batch, cached)
        }
        outcomes: list[Vectors | SeraError] = []
        for sample in batch:
            vectors = cached[sample.key]
            outcomes.append(computed[sample.key] if vectors is None else vectors)
        return outcomes

    def compute_missing(
        self, batch: Sequence[Sample]
    ) -> list[tuple[Sample, Vectors | SeraError]]:
        """Compute the vectors, or the errors, of the samples that are not in the cache."""
        return self._compute(batch, self._cached_by_key(batch))

    def _cached_by_key(self, batch: Sequence[Sample]) -> dict[str, Vectors | None]:
        return {sample.key: self._get_cached(sample) for sample in batch}

    def _compute(
        self, batch: Sequence[Sample], cached: Mapping[str, Vectors | None]
    ) -> list[tuple[Sample, Vectors | SeraError]]:
        missing = [sample for sample in batch if cached[sample.key] is None]
        outcomes = compute_vectors(self._extractors, map(self._load, missing))
        results = list(zip(missing, outcomes, strict=True))
        for sample, outcome in results:
            if not isinstance(outcome, SeraError):
                self._put(sample, outcome)
        return results

    def _load(self, sample: Sample) -> Nodule | SeraError:
        """Load the nodule of a sample, or return the error of its image.

        A retryable error, such as an unavailable engine, is not caused by the image. It ends the
        fit.
        """
        try:
            return self._nodules.nodule(sample)
        except SeraError as error:
            if error.retryable:
                raise
            return error

    def _get_cached(self, sample: Sample) -> Vectors | None:
        """Return the sample's vectors, if those of every extractor are in the cache."""
        vectors = []
        for extractor in self._extractors:
            vector = self._cache.get(self._key(sample, extractor))
            if vector is None:
                return None
            vectors.append(np.frombuffer(vector, "<f4"))
        return tuple(vectors)

    def _put(self, sample: Sample, vectors: Vectors) -> None:
        for extractor, vector in zip(self._extractors, vectors, strict=True):
            key = self._key(sample, extractor)
            self._cache.put(key, vector.astype("<f4").tobytes())

    def _key(self, sample: Sample, extractor: Extractor) -> str:
        nodule_key = self._nodules.key(sample)
        return f"features/{sample.key}/{nodule_key}/{extractor.digest}"


def compute_vectors(
    extractors: Sequence[Extractor], nodules: Iterable[Nodule | SeraError]
) -> list[Vectors | SeraError]:
    """Compute the vectors of each nodule, or its error.

    An error of one nodule does not affect the other nodules.

    If an entry of `nodules` is already an error, it is returned unchanged.
    """
    prepared = [_prepare(extractors, nodule) for nodule in nodules]
    readable = [inputs for inputs in prepared if not isinstance(inputs, SeraError)]
    columns = [
        extractor.compute(column)
        for extractor, column in zip(
            extractors, zip(*readable, strict=True), strict=False
        )
    ]
    rows = iter(zip(*columns, strict=True))
    return [
        inputs if isinstance(inputs, SeraError) else next(rows) for inputs in prepared
    ]


def _prepare(
    extractors: Sequence[Extractor], nodule: Nodule | SeraError
) -> list[Array] | SeraError:
    """Return each extractor's prepared input of a nodule, or the error of the nodule."""
    if isinstance(nodule, SeraError):
        return nodule
    try:
        return [extractor.prepare(nodule) for extractor in extractors]
    except SeraError as error:
        return error


def _batches(
    samples: Sequence[Sample],
    skipped: Sequence[SkippedImage],
    progress: ProgressCallback,
) -> Iterator[Sequence[Sample]]:
    """Yield the samples in batches; progress is reported after each batch."""
    for start in range(0, len(samples), BATCH_IMAGES):
        batch = samples[start : start + BATCH_IMAGES]
        yield batch
        count_done = start + len(batch)
        message = Message(
            "progress-images", {"done": count_done, "images": len(samples)}
        )
        metrics = {"skipped": len(skipped)}
        progress("features", count_done / len(samples), message, metrics)


def _create_file(folder: Path) -> Path:
    handle, path = tempfile.mkstemp(prefix="table-", dir=folder)
    os.close(handle)
    return Path(path)
