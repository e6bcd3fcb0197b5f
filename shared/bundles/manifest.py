"""manifest.json: all of a bundle besides its arrays, and the hash of every other file."""

import hashlib
import json
import re
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from shared.bundles.errors import BundleUnreadable
from shared.recipes import ClassifierKind

FORMAT = 2
MANIFEST = "manifest.json"
CLASSES = ("benign", "malignant")
_SAFE_PATH = re.compile(r"(?:[a-z]+/)?[A-Za-z0-9_-]+\.(?:safetensors|skops)")


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class FileEntry(_Entry):
    sha256: str
    size: int


class SigmoidEntry(_Entry):
    slope: float
    intercept: float


class FusionEntry(_Entry):
    """Weights of the readers' log-odds, and what is added; the rule itself stands in the recipe."""

    weights: tuple[float, ...]
    bias: float


class TrainingEntry(_Entry):
    """What the model was fitted on; `fingerprint` is the SHA-256 of the data set's keys, labels and groups."""

    images: int
    benign: int
    malignant: int
    groups: int
    skipped: int
    fingerprint: str
    seed: int


class ReaderEntry(_Entry):
    """A fitted classifier on the recipe's feature sets of these numbers; a tuned network itself has no file."""

    feature_sets: tuple[int, ...]
    kind: ClassifierKind
    settings: dict[str, float | int | str]
    calibration: SigmoidEntry
    file: str | None


class NoveltyEntry(_Entry):
    file: str
    residual: float
    limit: float


class GoldenEntry(_Entry):
    """Scores that the images in `file` had when the bundle was saved."""

    file: str
    scores: tuple[float, ...]


class Manifest(_Entry):
    format: int
    name: str
    version: str
    created: str
    synthetic: bool
    recipe: dict[str, Any]
    training: TrainingEntry
    prevalence: float
    classes: tuple[str, ...]
    cutoff: float
    fusion: FusionEntry
    calibration: SigmoidEntry
    networks: dict[int, str]
    """Number of the feature set -> its weight file."""
    readers: tuple[ReaderEntry, ...]
    novelty: NoveltyEntry
    golden: GoldenEntry
    metrics: dict[str, float]
    libraries: dict[str, str]
    files: dict[str, FileEntry]

    @field_validator("files")
    @classmethod
    def _stay_inside(cls, files: dict[str, FileEntry]) -> dict[str, FileEntry]:
        """A path may not lead out of the bundle's folder."""
        if strangers := [path for path in files if not _SAFE_PATH.fullmatch(path)]:
            raise ValueError(f"{strangers[0]!r} is no path of a bundle")
        return files

    @classmethod
    def from_bytes(cls, text: bytes) -> Self:
        """Read strictly; raises `BundleUnreadable`."""
        try:
            manifest = cls.model_validate_json(text)
        except ValidationError as problem:
            first = problem.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise BundleUnreadable(part=MANIFEST, problem=f"{where}: {first['msg']}") from problem
        if manifest.format != FORMAT:
            raise BundleUnreadable(part=MANIFEST, problem=f"format {manifest.format} is not {FORMAT}")
        return manifest

    def to_bytes(self) -> bytes:
        """The same content gives the same bytes."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, indent=1, allow_nan=False).encode()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
