"""Datasets: fill them, correct them, split them, freeze them."""

from dataclasses import dataclass, fields
from typing import Any, BinaryIO

from services.api.datasets.composition import CompositionView, composition_view
from services.api.datasets.content import Content, ImageFiles, uploaded_content, dataset_contents
from services.api.datasets.schemas import (
    NAME,
    Correction,
    DatasetDetail,
    Facts,
    FrozenView,
    ImageView,
    KnownImages,
    NewSplit,
    OutcomeFilter,
    RefusedView,
    SplitView,
    OutcomeImportView,
    VersionDetail,
    VersionView,
    WithdrawnView,
    dataset_detail,
    frozen_view,
    image_view,
    known_images,
    split_view,
    version_detail,
    version_view,
)
from services.api.errors import error_item
from shared.errors import Conflict, InputError
from shared.ledger import SystemSession
from shared.ledger.datasets.consents import OutcomeImport
from shared.ledger.datasets.labelled_image import LabelledImage
from shared.ledger.datasets.pseudonyms import Pseudonyms
from shared.ledger.datasets.repository import Dataset, DatasetUnknown
from shared.ledger.edit_conflicts import ETags
from shared.ledger.idempotency.requests import IdempotentRequest

TEST_SHARE = 0.2


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
    mask: BinaryIO | None
    facts: Facts


class DatasetService:
    def __init__(self, session: SystemSession) -> None:
        self._session = session

    def create(self, name: str, synthetic: bool) -> Dataset:
        """The dataset of this name, made if it is new. Raises DatasetNameInvalid, DatasetOfOtherKind."""
        if not NAME.fullmatch(name):
            raise DatasetNameInvalid(name=name)
        self._session.datasets.ensure(name, synthetic)
        dataset = self._session.datasets.find(name)
        if dataset.synthetic != synthetic:
            raise DatasetOfOtherKind(
                name=name, kind=_kind(dataset.synthetic), other=_kind(synthetic)
            )
        return dataset

    def all(self) -> list[Dataset]:
        return self._session.datasets.all()

    def read(self, name: str) -> DatasetDetail:
        dataset = find_dataset(self._session, name)
        return dataset_detail(dataset, self._session.datasets.split_counts(dataset.id))

    def composition(self, name: str, number: int | None) -> CompositionView:
        """Of the draft, or of a version by its number."""
        dataset = find_dataset(self._session, name).id
        if number is None:
            return composition_view(self._session.compositions.of_draft(dataset))
        version = self._session.versions.find(dataset, number)
        return composition_view(self._session.compositions.of_version(version.id))

    def known(self, name: str, hashes: list[str]) -> KnownImages:
        names = self._session.cleaned_files.dataset_hashes(set(hashes))
        dataset = find_dataset(self._session, name).id
        images = self._session.drafts.find_images(dataset, set(names.values()))
        return known_images(
            {
                source: images[stored]
                for source, stored in names.items()
                if stored in images
            }
        )

    def correct(
        self, name: str, image_sha256: str, correction: Correction, tags: ETags
    ) -> ImageView:
        changes = {
            column: getattr(correction, column)
            for column in correction.model_fields_set
        }
        if "patient" in changes:
            changes["patient"] = self._session.pseudonyms.pseudonymise(changes["patient"])
        image = _named(self._session, image_sha256)
        dataset = find_dataset(self._session, name).id
        return image_view(self._session.drafts.change(dataset, image, changes, tags))

    def remove(self, name: str, image_sha256: str, tags: ETags) -> ImageView:
        dataset = find_dataset(self._session, name).id
        image = _named(self._session, image_sha256)
        return image_view(self._session.drafts.remove(dataset, image, tags))

    def split(self, name: str, new: NewSplit, tags: ETags) -> SplitView:
        dataset = find_dataset(self._session, name).id
        if new.sites:
            return split_view(
                self._session.drafts.split_by_site(dataset, new.sites, tags)
            )
        share = new.test_share or TEST_SHARE
        seed = new.seed or 0
        return split_view(
            self._session.drafts.split_by_patient(dataset, share, seed, tags)
        )

    def freeze(self, name: str, tags: ETags) -> FrozenView:
        dataset = find_dataset(self._session, name).id
        return frozen_view(self._session.versions.freeze(dataset, tags))

    def versions(self, name: str) -> list[VersionView]:
        dataset = find_dataset(self._session, name).id
        return [
            version_view(version) for version in self._session.versions.all(dataset)
        ]

    def version(self, name: str, number: int, against: int | None) -> VersionDetail:
        """A version, and what it changed against another one: the one before, if none is named."""
        versions = self._session.versions
        dataset = find_dataset(self._session, name).id
        version = versions.find(dataset, number)
        other = against or number - 1
        if not other:
            return version_detail(version, None, against=0)
        older = versions.find(dataset, other)
        difference = versions.difference(older.id, version.id)
        return version_detail(version, difference, against=other)

    def import_outcomes(self, name: str, which: OutcomeFilter, tags: ETags) -> OutcomeImportView:
        dataset = find_dataset(self._session, name)
        if dataset.synthetic:
            raise DatasetOfOtherKind(name=name, kind=_kind(True), other=_kind(False))
        taken = self._session.consents.import_outcomes(
            dataset.id, which.moment, which.hospital, tags
        )
        return _taken(taken)


class ImageService:
    """Adds a labelled image. The transaction that adds it begins when its files are stored."""

    def __init__(
        self,
        session: SystemSession,
        files: ImageFiles,
        idempotent: IdempotentRequest | None,
    ) -> None:
        self._session = session
        self._files = files
        self._idempotent = idempotent

    def add(self, name: str, labelled: Labelled) -> tuple[str, bool]:
        """Store an image and its label; the same image under the same label changes nothing."""
        find_dataset(self._session, name)
        self._session.transaction.commit()
        mask = labelled.mask.read() if labelled.mask else None
        kept = self._files.store(labelled.image.read(), mask)
        if self._idempotent is not None:
            self._idempotent.reserve()
        dataset = find_dataset(self._session, name).id
        self._files.record(self._session, dataset, [kept])
        [content] = dataset_contents(self._session, [uploaded_content(kept)])
        row = labelled_image(content, labelled.facts, self._session.pseudonyms)
        return content.image_sha256, self._session.datasets.add(dataset, [row]) == 1


def find_dataset(session: SystemSession, name: str) -> Dataset:
    """The dataset of a name from an address, which may be anything."""
    if not NAME.fullmatch(name):
        raise DatasetUnknown(name=name)
    return session.datasets.find(name)


def _named(session: SystemSession, image_sha256: str) -> str:
    """The image's hash in datasets, of its file's."""
    return session.cleaned_files.dataset_hashes([image_sha256])[image_sha256]


def labelled_image(content: Content, facts: Facts, pseudonyms: Pseudonyms) -> LabelledImage:
    told: dict[str, Any] = facts.model_dump() | {
        "patient": pseudonyms.pseudonymise(facts.patient)
    }
    return LabelledImage(content.image_sha256, mask_sha256=content.mask_sha256, **told)


def _taken(taken: OutcomeImport) -> OutcomeImportView:
    withdrawn = [WithdrawnView(**vars(each)) for each in taken.withdrawn]
    refused = [
        RefusedView(
            case_id=each.case_id,
            image_sha256=each.image_sha256,
            **error_item(each.reason),
        )
        for each in taken.refused
    ]
    counts = {field.name: getattr(taken, field.name) for field in fields(OutcomeImport)}
    return OutcomeImportView(**counts | {"withdrawn": withdrawn, "refused": refused})


def _kind(synthetic: bool) -> str:
    return "synthetic" if synthetic else "clinical"
