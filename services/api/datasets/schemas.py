"""Datasets as an operator sees them."""

from uuid import UUID

from pydantic import BaseModel, Field

from shared.ledger.datasets import Dataset


class NewDataset(BaseModel):
    name: str = Field(
        min_length=1, max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", examples=["severance-2026"]
    )
    synthetic: bool = Field(False, description="Phantoms, not patients; every result of a model from it says so.")


class DatasetView(BaseModel):
    dataset_id: UUID
    name: str
    synthetic: bool
    images: int
    malignant: int


class ImageAdded(BaseModel):
    image_sha256: str
    added: bool = Field(description="False if the dataset had this very image already.")


def view(dataset: Dataset) -> DatasetView:
    told = {name: getattr(dataset, name) for name in ("name", "synthetic", "images", "malignant")}
    return DatasetView(dataset_id=dataset.id, **told)
