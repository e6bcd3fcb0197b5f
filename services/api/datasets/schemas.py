"""Datasets as an operator sees them."""

import re
from uuid import UUID

from pydantic import BaseModel, Field

from shared.ledger.datasets import Dataset

NAME = re.compile("[A-Za-z0-9][A-Za-z0-9._-]*")


class NewDataset(BaseModel):
    name: str = Field(max_length=100, json_schema_extra={"pattern": f"^{NAME.pattern}$"}, examples=["severance-2026"])
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
