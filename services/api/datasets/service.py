"""Takes in labelled images for training."""

import hashlib
from dataclasses import dataclass
from typing import BinaryIO

from services.api.datasets.schemas import NAME
from services.api.dependencies import Wiring
from shared.domain.training import Split
from shared.errors import Conflict, InputError
from shared.imaging import Header, inspect, read_mask
from shared.ledger.datasets import Dataset, LabelledImage
from shared.ledger.hospitals import Caller


class DatasetNameInvalid(InputError):
    code = "dataset-name-invalid"
    text = "{name!r} cannot name a dataset. Use letters, digits and . _ - and begin with a letter or digit."


class DatasetOfOtherKind(Conflict):
    """A model knows whether it learned from phantoms by its dataset, so the two are never mixed."""

    code = "dataset-of-other-kind"
    text = "The dataset {name!r} holds {kind} images and takes no {other} ones. Put them under another name."


@dataclass(frozen=True)
class Labelled:
    """An image with what is known of it; the mask is a raster of the same size, non-zero inside the nodule."""

    image: BinaryIO
    malignant: bool
    mask: BinaryIO | None
    patient: str | None
    site: str | None
    size_mm: float | None
    tirads: str | None
    split: Split


class DatasetDesk:
    def __init__(self, wired: Wiring, who: Caller) -> None:
        self._wired, self._who = wired, who

    def create(self, name: str, synthetic: bool) -> Dataset:
        """The dataset of this name, made if it is new."""
        if not NAME.fullmatch(name):
            raise DatasetNameInvalid(name=name)
        with self._wired.ledger.whole(self._who.actor) as house:
            house.datasets.ensure(name, synthetic)
            dataset = house.datasets.find(name)
        if dataset.synthetic != synthetic:
            raise DatasetOfOtherKind(name=name, kind=_kind(dataset.synthetic), other=_kind(synthetic))
        return dataset

    def find(self, name: str) -> Dataset:
        with self._wired.ledger.whole(self._who.actor) as house:
            return house.datasets.find(name)

    def add(self, name: str, labelled: Labelled) -> tuple[str, bool]:
        """Store an image and its label; the same image again changes nothing."""
        dataset = self.find(name)
        header = inspect(labelled.image)
        mask = self._checked(labelled.mask, header) if labelled.mask else None
        labelled.image.seek(0)
        image_sha256 = self._store(labelled.image)
        row = LabelledImage(
            image_sha256,
            labelled.malignant,
            labelled.split,
            mask_sha256=self._store(mask) if mask else None,
            patient=_pseudonym(name, labelled.patient),
            site=labelled.site,
            size_mm=labelled.size_mm,
            tirads=labelled.tirads,
        )
        with self._wired.ledger.whole(self._who.actor) as house:
            return image_sha256, house.datasets.add(dataset.id, [row]) == 1

    def _checked(self, mask: BinaryIO, header: Header) -> bytes:
        data = mask.read()
        read_mask(data, header.width, header.height)
        return data

    def _store(self, image: BinaryIO | bytes) -> str:
        return self._wired.objects.put(image, max_bytes=self._wired.settings.max_upload_bytes).sha256


def _kind(synthetic: bool) -> str:
    return "synthetic" if synthetic else "clinical"


def _pseudonym(dataset: str, patient: str | None) -> str | None:
    """Groups a patient's images within a dataset without keeping the number that came."""
    return hashlib.sha256(f"{dataset}\0{patient}".encode()).hexdigest()[:16] if patient else None
