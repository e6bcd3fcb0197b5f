"""The file manifest.json: a bundle's content except the arrays, and the hash of each other file."""

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
from shared.statistics.model_life.left_out_sites import LeftOutSites

FORMAT = 3
READABLE_FORMATS = (2, 3)
"""Format 2 has no evidence. Its bundles have no p-values, operating points or reference."""
MANIFEST_FILE = "manifest.json"
CLASSES = ("benign", "malignant")
_SAFE_PATH = re.compile(r"(?:[a-z]+/)?[A-Za-z0-9_-]+\.(?:safetensors|skops)")


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class _FormatField(BaseModel):
    """The only field that every format of the manifest has."""

    format: int


class FileEntry(_Entry):
    sha256: str
    size: int


class SigmoidEntry(_Entry):
    slope: float
    intercept: float


class FusionEntry(_Entry):
    """Weights of the components' log-odds, and the bias; the rule itself is in the recipe."""

    weights: tuple[float, ...]
    bias: float


class TrainingEntry(_Entry):
    """Counts of the training images.

    `fingerprint` is the SHA-256 of the data set's keys, labels and groups.
    """

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
    """A fitted component of the ensemble.

    `feature_sets` are indices of the recipe's feature sets. `file` holds the classifier; it is None
    if the tuned network itself is the classifier.
    """

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
    """A number of cases out of a total."""

    count: int
    of: int


class OperatingPointEntry(_Entry):
    target: float
    cutoff: float
    promised: bool
    sensitivity: CountEntry
    specificity: CountEntry


class ClassCoverageEntry(_Entry):
    """Conformal sets of one class's images.

    `covered` counts the sets that contain the class. `single`, `both` and `neither` count the sets
    with one class, with both and with none.
    """

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
    """The model's evidence.

    `file` holds the reference's quantiles and the conformal calibration scores. `left_out_sites`
    is None where nothing is known of other sites.
    """

    file: str
    operating_points: tuple[OperatingPointEntry, ...]
    coverage: tuple[CoverageEntry, ...]
    calibration: tuple[CalibrationBinEntry, ...]
    left_out_sites: LeftOutSites | None = None


class GoldenEntry(_Entry):
    """Scores of the images in `file` at the time the bundle was saved."""

    file: str
    scores: tuple[float, ...]


class OutlineEntry(_Entry):
    """The outline network: its weights, and its golden cases.

    `golden` holds pictures, boxes, and the masks that the network drew when the bundle was saved.
    """

    file: str
    golden: str


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
    """Weight file by the index of the feature set."""
    readers: tuple[ComponentEntry, ...]
    novelty: NoveltyEntry
    outline: OutlineEntry | None = None
    golden: GoldenEntry
    evidence: EvidenceEntry | None = None
    metrics: dict[str, float]
    libraries: dict[str, str]
    files: dict[str, FileEntry]

    @field_validator("files")
    @classmethod
    def _check_paths(cls, files: dict[str, FileEntry]) -> dict[str, FileEntry]:
        """Check that no path leads out of the bundle's folder."""
        for path in files:
            if not _SAFE_PATH.fullmatch(path):
                raise ValueError(f"{path!r} is no path of a bundle")
        return files

    @model_validator(mode="after")
    def _check_evidence(self) -> Self:
        """Check that the current format has evidence and that format 2 has none."""
        if (self.evidence is None) != (self.format < FORMAT):
            raise ValueError(
                f"evidence has to be there from format {FORMAT} on, and only there"
            )
        return self

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Read strictly. Raises `BundleUnreadable`, `BundleFormatUnknown`."""
        _check_format(content)
        try:
            return cls.model_validate_json(content)
        except ValidationError as error:
            first_fault = error.errors()[0]
            path = ".".join(map(str, first_fault["loc"])) or "content"
            raise BundleUnreadable(
                part=MANIFEST_FILE, problem=f"{path}: {first_fault['msg']}"
            ) from error

    def to_bytes(self) -> bytes:
        """Encode the manifest. The same content gives the same bytes."""
        table = self.model_dump(mode="json")
        text = json.dumps(table, sort_keys=True, indent=1, allow_nan=False)
        return text.encode()


def _check_format(content: bytes) -> None:
    """Check the format first, because an unknown format would otherwise look like damage."""
    try:
        manifest_format = _FormatField.model_validate_json(content).format
    except ValidationError as error:
        message = error.errors()[0]["msg"]
        raise BundleUnreadable(
            part=MANIFEST_FILE, problem=f"it states no format: {message}"
        ) from error
    if manifest_format not in READABLE_FORMATS:
        readable = " and ".join(map(str, READABLE_FORMATS))
        raise BundleFormatUnknown(format=manifest_format, readable=readable)


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
