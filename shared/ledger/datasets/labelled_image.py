"""A labelled image as datasets and their versions hold it."""

from dataclasses import dataclass, fields
from typing import Any

from shared.domain.datasets.split import group_name


@dataclass(frozen=True)
class LabelledImage:
    """One row of a dataset; the image and mask lie in the object store under their hashes.

    `split` is None only where an image is offered to a dataset and the dataset is to choose.
    """

    image_sha256: str
    malignant: bool
    split: str | None
    roi: dict[str, Any] | None = None
    mask_sha256: str | None = None
    frame: int | None = None
    patient: str | None = None
    site: str | None = None
    size_mm: float | None = None
    tirads: str | None = None

    @property
    def group(self) -> str:
        return group_name(self.image_sha256, self.patient, self.site)


COLUMNS = tuple(field.name for field in fields(LabelledImage))


def labelled_image_from_row(row: Any) -> LabelledImage:
    """From a row of a draft or of a version."""
    return LabelledImage(**{name: getattr(row, name) for name in COLUMNS})
