"""manifest.json: all of a bundle besides its arrays, and the hash of every other file."""

import hashlib
import json
import re
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from shared.bundles.errors import BundleFormatUnknown, BundleUnreadable
from shared.recipes import ClassifierKind

FORMAT = 3
READABLE_FORMATS = (2, 3)
"""Format 2 holds no evidence: such a bundle gives no p-values, and has no operating points and no reference."""
MANIFEST_FILE = "manifest.json"
CLASSES = ("benign", "malignant")
_SAFE_PATH = re.compile(r"(?:[a-z]+/)?[A-Za-z0-9_-]+\.(?:safetensors|skops)")


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class _FormatField(BaseModel):
    """The one field by which any manifest can be told."""

    format: int


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
    patients: int | None = None
    sites: dict[str, int] = {}


class ComponentEntry(_Entry):
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


class CountEntry(_Entry):
    """Some out of a total."""

    count: int
    of: int


class OperatingPointEntry(_Entry):
    target: float
    cutoff: float
    promised: bool
    sensitivity: CountEntry
    specificity: CountEntry


class ClassCoverageEntry(_Entry):
    """Of conformal sets of one class's images: those that hold the class, and what is in them."""

    covered: CountEntry
    single: int
    both: int
    neither: int


class CoverageEntry(_Entry):
    alpha: float
    benign: ClassCoverageEntry
    malignant: ClassCoverageEntry


class CalibrationBinEntry(_Entry):
    """Images with a stated risk from `low` up to `high`."""

    low: float
    high: float
    count: Annotated[int, Field(ge=1)]
    malignant: int
    mean_probability: float


class EvidenceEntry(_Entry):
    """What the model knows of itself; `file` holds the reference's quantiles and the conformal calibration scores."""

    file: str
    operating_points: tuple[OperatingPointEntry, ...]
    coverage: tuple[CoverageEntry, ...]
    calibration: tuple[CalibrationBinEntry, ...]


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
    readers: tuple[ComponentEntry, ...]
    novelty: NoveltyEntry
    golden: GoldenEntry
    evidence: EvidenceEntry | None = None
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

    @model_validator(mode="after")
    def _hold_evidence(self) -> Self:
        """A bundle of today always knows itself, and one of format 2 never did."""
        if (self.evidence is None) != (self.format < FORMAT):
            raise ValueError(
                f"evidence has to be there from format {FORMAT} on, and only there"
            )
        return self

    @classmethod
    def from_bytes(cls, text: bytes) -> Self:
        """Read strictly; raises `BundleUnreadable`."""
        _check_format(text)
        try:
            return cls.model_validate_json(text)
        except ValidationError as problem:
            first = problem.errors()[0]
            where = ".".join(map(str, first["loc"])) or "content"
            raise BundleUnreadable(
                part=MANIFEST_FILE, problem=f"{where}: {first['msg']}"
            ) from problem

    def to_bytes(self) -> bytes:
        """The same content gives the same bytes."""
        return json.dumps(
            self.model_dump(mode="json"), sort_keys=True, indent=1, allow_nan=False
        ).encode()


def _check_format(text: bytes) -> None:
    """Look at the format before anything else: what another format holds cannot be told from damage."""
    try:
        found = _FormatField.model_validate_json(text).format
    except ValidationError as problem:
        raise BundleUnreadable(
            part=MANIFEST_FILE,
            problem=f"it states no format: {problem.errors()[0]['msg']}",
        ) from problem
    if found not in READABLE_FORMATS:
        raise BundleFormatUnknown(
            format=found, readable=" and ".join(map(str, READABLE_FORMATS))
        )


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
