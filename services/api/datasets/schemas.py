"""API schemas of datasets."""

import re
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator
from pydantic.config import JsonValue

from services.api.moments import MomentInUtc
from services.api.text import OptionalText, PlainText
from shared.domain.results.findings import Finding
from shared.domain.training.states import Split
from shared.domain.typed_sizes import MAX_MM
from shared.ledger.datasets.drafts import AddStatus, SplitResult
from shared.ledger.datasets.labelled_image import LabelledImage
from shared.ledger.datasets.repository import Dataset, SplitCount
from shared.ledger.datasets.versions import FreezeResult, Version, VersionDifference

NAME = re.compile("[A-Za-z0-9][A-Za-z0-9._-]*")
MAX_HASHES = 10_000
MAX_NUMBER = 2**31 - 1
SHA256 = "1f0b8f5e52b54d0c8d555d8e2c4f7a117f3f6c1e6a554a339d1c2f6f0f8d2a10"
Sha256 = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]


def _example(**fields: JsonValue) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": [fields]})


class Facts(BaseModel):
    """Facts about an image. An omitted fact is unknown. If `split` is omitted, SERA derives it from
    the patient.
    """

    malignant: bool = Field(description="Label; malignant is the positive class.")
    patient: OptionalText = Field(
        None,
        description="Patient number of the hospital; only a keyed hash is stored.",
    )
    site: OptionalText = Field(
        None, description="Hospital; patient numbers are unique within it."
    )
    size_mm: float | None = Field(None, gt=0, le=MAX_MM, allow_inf_nan=False)
    tirads: OptionalText = None
    roi: dict[str, Any] | None = Field(
        None,
        description='Where the nodule is: `{"box": [x, y, width, height]}` or '
        '`{"polygon": [[x, y], ...]}` in pixels of the upright image.',
    )
    split: Split | None = Field(
        None, description="`test` images are never used for training."
    )


class NewDataset(BaseModel):
    name: str = Field(
        max_length=100,
        json_schema_extra={"pattern": f"^{NAME.pattern}$"},
        examples=["severance-2026"],
    )
    synthetic: bool = Field(
        False,
        description="Whether the images are phantoms and not images of patients. Every result of "
        "a model that was trained on such a dataset says so.",
    )


class DatasetView(BaseModel):
    """A dataset. The counts are of the draft, which becomes the next version."""

    dataset_id: UUID
    name: str
    synthetic: bool
    images: int
    malignant: int
    versions: int = Field(description="Number of frozen versions.")
    revision: int = Field(
        description="Number of changes of the draft. In quotation marks this number is the "
        "draft's ETag."
    )


class ShareView(BaseModel):
    split: Split
    site: str | None
    images: int
    malignant: int


class DatasetDetail(DatasetView):
    shares: list[ShareView] = Field(
        description="Counts of the draft by split and site."
    )


class ImageAdded(BaseModel):
    image_sha256: str
    added: bool = Field(description="False if the dataset already had this image.")


class ImageView(BaseModel):
    """One row of the draft."""

    image_sha256: str
    malignant: bool
    split: Split
    site: str | None
    patient_known: bool
    mask_sha256: str | None
    roi: dict[str, Any] | None
    frame: int | None
    size_mm: float | None
    tirads: str | None


class Correction(BaseModel):
    """Changes only the fields that are sent. Null removes `patient` or `site`."""

    model_config = ConfigDict(extra="forbid") | _example(malignant=True)
    malignant: bool = False
    patient: OptionalText = None
    site: OptionalText = None
    split: Split = Split.TRAIN

    @model_validator(mode="after")
    def _check_not_empty(self) -> "Correction":
        if not self.model_fields_set:
            raise ValueError("name at least one of malignant, patient, site, split")
        return self


class KnownImage(BaseModel):
    malignant: bool
    split: Split
    mask_sha256: str | None


class KnownImages(BaseModel):
    model_config = _example(
        known={SHA256: {"malignant": True, "split": "train", "mask_sha256": None}}
    )
    known: dict[str, KnownImage] = Field(
        description="The requested images that the dataset already has, by SHA-256."
    )


class BatchRow(BaseModel):
    """Outcome of one line of the manifest."""

    line: int = Field(description="Line number; the header is line 1.")
    image: str = Field(description="Name of the image in the manifest.")
    outcome: str = Field(
        description="`added`, `known` (the dataset already has this image with the same label) or "
        "`refused`."
    )
    image_sha256: str | None = None
    code: str | None = None
    message: str | None = Field(
        None,
        description="Why the row was refused, with the next step, in the caller's language.",
    )
    facts: dict[str, Any] | None = Field(
        None, description="Numbers and names that `message` contains."
    )
    warnings: list[Finding] = Field(
        [],
        description="What is remarkable about the image and its mask, as they were read now. Each "
        "code appears once. Empty for a row that names its files by their hashes.",
    )


class BatchReport(BaseModel):
    model_config = _example(
        added=1,
        known=0,
        refused=1,
        rows=[
            {
                "line": 2,
                "image": "a.png",
                "outcome": "added",
                "image_sha256": SHA256,
                "code": None,
                "message": None,
                "facts": None,
                "warnings": [
                    {
                        "code": "mask-empty",
                        "message": "The mask marks nothing, so it was read as if there were none. "
                        "If it should mark a nodule, export it again.",
                        "facts": {},
                    }
                ],
            },
            {
                "line": 3,
                "image": "b.png",
                "outcome": "refused",
                "image_sha256": None,
                "code": "image-unreadable",
                "message": "The PNG image cannot be decoded (it is cut short or damaged). Export "
                "it again.",
                "facts": {"format": "PNG", "problem": "it is cut short or damaged"},
                "warnings": [],
            },
        ],
    )
    added: int
    known: int
    refused: int
    rows: list[BatchRow]


class Thumbnail(BaseModel):
    line: int
    image: str = Field(description="Name of the image in the manifest.")
    base64: str = Field(
        description="A small PNG of the image as training reads it: upright and grey."
    )


class BatchTrial(BatchReport):
    """What a batch would answer. Nothing was stored."""

    thumbnails: list[Thumbnail] = Field(
        description="The first images of the batch that can be read, at most 12."
    )


class NewSplit(BaseModel):
    """A split by patient with `test_share` and `seed`, or by site with `sites`.

    Images of frozen versions keep their split.
    """

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"by": "patient", "test_share": 0.2, "seed": 0},
                {"by": "site", "sites": ["north"]},
            ]
        },
    )
    by: Annotated[str, StringConstraints(pattern="^(patient|site)$")] = Field(
        description="`patient` or `site`."
    )
    test_share: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="Share of test images of each label; default 0.2.",
    )
    seed: int | None = Field(
        None,
        ge=0,
        le=MAX_NUMBER,
        description="Equal seeds give equal splits; default 0.",
    )
    sites: list[PlainText] | None = Field(
        None,
        min_length=1,
        max_length=1000,
        description="Sites whose images all become test images.",
    )

    @model_validator(mode="after")
    def _check_fields(self) -> "NewSplit":
        if self.by == "site" and not self.sites:
            raise ValueError("a split by site names its `sites`")
        if self.by == "site" and (self.test_share, self.seed) != (None, None):
            raise ValueError("a split by site takes no `test_share` and no `seed`")
        if self.by == "patient" and self.sites:
            raise ValueError("a split by patient takes no `sites`")
        return self


class SplitView(BaseModel):
    """Numbers of images in the draft after a split."""

    train: int
    test: int
    moved: int
    fixed: int = Field(
        description="Number of images that keep their split, because they or their patient are in "
        "a frozen version."
    )
    overruled: int = Field(
        description="Number of fixed images whose split differs from the requested split."
    )


class DifferenceView(BaseModel):
    against: int = Field(
        description="Number of the version with which this version is compared."
    )
    added: int
    removed: int
    relabelled: int
    changed: int = Field(
        description="Number of images with the same label but another mask, patient, site, split, "
        "size or category."
    )


class VersionView(BaseModel):
    version_id: UUID
    number: int
    fingerprint: str = Field(
        description="SHA-256 over all rows: equal fingerprints mean equal data."
    )
    images: int
    malignant: int
    test_images: int
    actor: str
    created_at: datetime


class FrozenView(VersionView):
    new: bool = Field(
        description="False if the draft has not changed since this version."
    )


class VersionDetail(VersionView):
    difference: DifferenceView | None = Field(
        description="Null for the first version, unless `against` is given."
    )


class OutcomeFilter(BaseModel):
    """Limits which outcomes are added. Withdrawn consent and corrected labels are always
    imported.
    """

    model_config = ConfigDict(extra="forbid") | _example(
        since="2026-01-01", hospital="north"
    )
    since: MomentInUtc | None = Field(
        None,
        description="Add outcomes that were recorded at or after this day or time. A value "
        "without a time zone is in UTC.",
    )
    hospital: OptionalText = None


class WithdrawnView(BaseModel):
    case_id: UUID
    image_sha256: str
    versions: list[int] = Field(
        description="Frozen versions that still contain the image. Frozen versions never change."
    )


class RefusedView(BaseModel):
    case_id: UUID
    image_sha256: str
    code: str
    message: str = Field(description="Reason of the refusal, in the caller's language.")
    facts: dict[str, Any] = Field(
        description="Numbers and names that `message` contains."
    )


class OutcomeImportView(BaseModel):
    added: int
    corrected: int = Field(
        description="Number of rows whose label, patient or ROI changed with a newer outcome."
    )
    known: int = Field(
        description="Number of images that the dataset already had with the same label."
    )
    withdrawn: list[WithdrawnView] = Field(
        description="Images removed from the draft because consent was withdrawn."
    )
    refused: list[RefusedView]


def dataset_view(dataset: Dataset) -> DatasetView:
    return DatasetView(**_dataset_fields(dataset))


def dataset_detail(dataset: Dataset, shares: list[SplitCount]) -> DatasetDetail:
    return DatasetDetail(
        **_dataset_fields(dataset),
        shares=[ShareView(**vars(share)) for share in shares],
    )


def image_view(image: LabelledImage) -> ImageView:
    return ImageView(**vars(image), patient_known=image.patient is not None)


def known_images(images: dict[str, LabelledImage]) -> KnownImages:
    views = {
        sha256: KnownImage.model_validate(image, from_attributes=True)
        for sha256, image in images.items()
    }
    return KnownImages(known=views)


def batch_report(rows: list[BatchRow]) -> BatchReport:
    outcomes = [row.outcome for row in rows]
    added, known = (outcomes.count(status) for status in AddStatus)
    return BatchReport(
        added=added, known=known, refused=len(rows) - added - known, rows=rows
    )


def split_view(parted: SplitResult) -> SplitView:
    return SplitView(**vars(parted))


def version_view(version: Version) -> VersionView:
    return VersionView(**_version_fields(version))


def frozen_view(frozen: FreezeResult) -> FrozenView:
    return FrozenView(**_version_fields(frozen), new=frozen.new)


def version_detail(
    version: Version, difference: VersionDifference | None, against: int
) -> VersionDetail:
    """Build the view of a version. `against` is the number of the version with which it is
    compared; 0 if there is none.
    """
    difference_view = None
    if difference is not None:
        difference_view = DifferenceView(against=against, **vars(difference))
    return VersionDetail(**_version_fields(version), difference=difference_view)


def _dataset_fields(dataset: Dataset) -> dict[str, Any]:
    names = DatasetView.model_fields.keys() - {"dataset_id"}
    fields = {name: getattr(dataset, name) for name in names}
    return fields | {"dataset_id": dataset.id}


def _version_fields(version: Version) -> dict[str, Any]:
    names = VersionView.model_fields.keys() - {"version_id"}
    fields = {name: getattr(version, name) for name in names}
    return fields | {"version_id": version.id}
