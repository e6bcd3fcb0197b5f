"""Datasets as an operator sees them."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from services.api.text import OptionalText, PlainText
from shared.domain.training.states import Split
from shared.ledger.datasets.drafts import SplitResult, AddStatus
from shared.ledger.datasets.labelled_image import LabelledImage
from shared.ledger.datasets.repository import Dataset, SplitCount
from shared.ledger.datasets.versions import VersionDifference, FreezeResult, Version

NAME = re.compile("[A-Za-z0-9][A-Za-z0-9._-]*")
MAX_HASHES = 10_000
MAX_NUMBER = 2**31 - 1
SHA256 = "1f0b8f5e52b54d0c8d555d8e2c4f7a117f3f6c1e6a554a339d1c2f6f0f8d2a10"
Sha256 = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]


def _example(**told: Any) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": [told]})


class Facts(BaseModel):
    """What is known of an image; what is left out is not known, and `split` then follows from the patient."""

    malignant: bool = Field(description="The label; malignant is the positive class.")
    patient: OptionalText = Field(
        None, description="The hospital's number; only a keyed hash of it is kept."
    )
    site: OptionalText = Field(
        None, description="The hospital; a patient's number counts within it."
    )
    size_mm: float | None = Field(None, gt=0, allow_inf_nan=False)
    tirads: OptionalText = None
    split: Split | None = Field(
        None, description="`test` images are never learned from."
    )


class NewDataset(BaseModel):
    name: str = Field(
        max_length=100,
        json_schema_extra={"pattern": f"^{NAME.pattern}$"},
        examples=["severance-2026"],
    )
    synthetic: bool = Field(
        False,
        description="Phantoms, not patients; every result of a model from it says so.",
    )


class DatasetView(BaseModel):
    """Counts are the draft's: what the next version will hold."""

    dataset_id: UUID
    name: str
    synthetic: bool
    images: int
    malignant: int
    versions: int = Field(description="How many frozen versions there are.")
    revision: int = Field(
        description="Counts the draft's changes; in quotation marks it is the draft's ETag."
    )


class ShareView(BaseModel):
    split: Split
    site: str | None
    images: int
    malignant: int


class DatasetDetail(DatasetView):
    shares: list[ShareView] = Field(description="The draft, counted by part and site.")


class ImageAdded(BaseModel):
    image_sha256: str
    added: bool = Field(description="False if the dataset had this very image already.")


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
    """Only what is named is changed; `patient` or `site` given as null is forgotten."""

    model_config = ConfigDict(extra="forbid") | _example(malignant=True)
    malignant: bool = False
    patient: OptionalText = None
    site: OptionalText = None
    split: Split = Split.TRAIN

    @model_validator(mode="after")
    def _something(self) -> "Correction":
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
        description="Those of the images asked about that the dataset has."
    )


class BatchRow(BaseModel):
    """What became of one line of the manifest."""

    line: int = Field(description="Its line, the header being line 1.")
    image: str = Field(description="The image as the manifest names it.")
    outcome: str = Field(
        description="`added`, `known` (the dataset has it just so) or `refused`."
    )
    image_sha256: str | None = None
    code: str | None = None
    message: str | None = Field(
        None,
        description="Why it was refused, and what to do, in the caller's language.",
    )
    facts: dict[str, Any] | None = Field(
        None, description="What `message` is made of: numbers and names."
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
            },
            {
                "line": 3,
                "image": "b.png",
                "outcome": "refused",
                "image_sha256": None,
                "code": "image-unreadable",
                "message": "The PNG image cannot be decoded (it is cut short or damaged). Export it again.",
                "facts": {"format": "PNG", "problem": "it is cut short or damaged"},
            },
        ],
    )
    added: int
    known: int
    refused: int
    rows: list[BatchRow]


class NewSplit(BaseModel):
    """By patient: `test_share` and `seed`. By site: `sites`. What a frozen version holds stays where it is."""

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
        None, gt=0, lt=1, description="Of the images of each label; default 0.2."
    )
    seed: int | None = Field(
        None,
        ge=0,
        le=MAX_NUMBER,
        description="Equal seeds draw equal parts; default 0.",
    )
    sites: list[PlainText] | None = Field(
        None, min_length=1, max_length=1000, description="Held back whole."
    )

    @model_validator(mode="after")
    def _fitting(self) -> "NewSplit":
        if self.by == "site" and not self.sites:
            raise ValueError("a split by site names its `sites`")
        if self.by == "site" and (self.test_share, self.seed) != (None, None):
            raise ValueError("a split by site takes no `test_share` and no `seed`")
        if self.by == "patient" and self.sites:
            raise ValueError("a split by patient takes no `sites`")
        return self


class SplitView(BaseModel):
    """The draft after a split, in images."""

    train: int
    test: int
    moved: int
    fixed: int = Field(
        description="They, or their patient, are in a frozen version and keep their part."
    )
    overruled: int = Field(
        description="Of those fixed, how many are in the other part than was asked for."
    )


class DifferenceView(BaseModel):
    against: int = Field(description="The version that this one is compared with.")
    added: int
    removed: int
    relabelled: int
    changed: int = Field(
        description="Same label, but another mask, patient, site, part, size or category."
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
    new: bool = Field(description="False if the draft is unchanged since this version.")


class VersionDetail(VersionView):
    difference: DifferenceView | None = Field(
        description="Null for the first version, unless `against` is given."
    )


class OutcomeFilter(BaseModel):
    """Narrows which outcomes are added; consent that was withdrawn and corrected labels always count."""

    model_config = ConfigDict(extra="forbid") | _example(
        since="2026-01-01", hospital="north"
    )
    since: datetime | None = Field(
        None, description="Recorded from then on: a day or a moment, in UTC if unsaid."
    )
    hospital: OptionalText = None

    @property
    def moment(self) -> datetime | None:
        return (
            self.since.replace(tzinfo=UTC)
            if self.since and self.since.tzinfo is None
            else self.since
        )


class WithdrawnView(BaseModel):
    case_id: UUID
    image_sha256: str
    versions: list[int] = Field(
        description="Frozen versions that still hold it; they never change."
    )


class RefusedView(BaseModel):
    case_id: UUID
    image_sha256: str
    code: str
    message: str = Field(description="Why it was refused, in the caller's language.")
    facts: dict[str, Any] = Field(
        description="What `message` is made of: numbers and names."
    )


class OutcomeImportView(BaseModel):
    added: int
    corrected: int = Field(
        description="Rows whose label, patient or ROI followed a newer outcome."
    )
    known: int = Field(
        description="Images that had come into the dataset by an import, under the same label."
    )
    withdrawn: list[WithdrawnView] = Field(
        description="Taken out of the draft, since consent was withdrawn."
    )
    refused: list[RefusedView]


def dataset_view(dataset: Dataset) -> DatasetView:
    return DatasetView(**_told(dataset))


def dataset_detail(dataset: Dataset, shares: list[SplitCount]) -> DatasetDetail:
    return DatasetDetail(
        **_told(dataset), shares=[ShareView(**vars(share)) for share in shares]
    )


def image_view(image: LabelledImage) -> ImageView:
    return ImageView(**vars(image), patient_known=image.patient is not None)


def known_images(held: dict[str, LabelledImage]) -> KnownImages:
    return KnownImages(
        known={
            sha256: KnownImage.model_validate(image, from_attributes=True)
            for sha256, image in held.items()
        }
    )


def batch_report(rows: list[BatchRow]) -> BatchReport:
    outcomes = [row.outcome for row in rows]
    added, known = (outcomes.count(reception) for reception in AddStatus)
    return BatchReport(
        added=added, known=known, refused=len(rows) - added - known, rows=rows
    )


def split_view(parted: SplitResult) -> SplitView:
    return SplitView(**vars(parted))


def version_view(version: Version) -> VersionView:
    return VersionView(**_of_version(version))


def frozen_view(frozen: FreezeResult) -> FrozenView:
    return FrozenView(**_of_version(frozen), new=frozen.new)


def version_detail(
    version: Version, difference: VersionDifference | None, against: int
) -> VersionDetail:
    """`against` is the number of the version that this one is compared with; 0 for none."""
    compared = (
        DifferenceView(against=against, **vars(difference)) if difference else None
    )
    return VersionDetail(**_of_version(version), difference=compared)


def _told(dataset: Dataset) -> dict[str, Any]:
    told = {
        name: getattr(dataset, name)
        for name in DatasetView.model_fields
        if name != "dataset_id"
    }
    return told | {"dataset_id": dataset.id}


def _of_version(version: Version) -> dict[str, Any]:
    told = {
        name: getattr(version, name)
        for name in VersionView.model_fields
        if name != "version_id"
    }
    return told | {"version_id": version.id}
