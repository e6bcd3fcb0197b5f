"""A labelled image, as drafts and versions of datasets hold it."""

from dataclasses import dataclass, fields
from typing import Any

from shared.domain.datasets.split import group_name
from shared.ledger.tables import DatasetImageRow, VersionImageRow


@dataclass(frozen=True)
class LabelledImage:
    """One row of a dataset. The object store holds the image and the mask under their hashes.

    `split` is None only if the dataset has to choose the part of a new image.
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
        """The images that must be in one part of a dataset have the same group."""
        return group_name(self.image_sha256, self.patient, self.site)


COLUMNS = tuple(field.name for field in fields(LabelledImage))


def labelled_image_from_row(row: DatasetImageRow | VersionImageRow) -> LabelledImage:
    return LabelledImage(**{name: getattr(row, name) for name in COLUMNS})
