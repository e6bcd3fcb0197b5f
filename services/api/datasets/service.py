"""Creates, fills, corrects, splits and freezes datasets."""

from dataclasses import dataclass
from typing import Any, BinaryIO

from services.api.datasets.composition import CompositionView, composition_view
from services.api.datasets.content import (
    Content,
    ImageFiles,
    dataset_contents,
    uploaded_content,
)
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
    OutcomeImportView,
    RefusedView,
    SplitView,
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
from shared.imaging import Roi
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
    text = (
        "{name!r} cannot name a dataset. Use letters, digits and . _ - and begin with a letter "
        "or digit."
    )


class DatasetOfOtherKind(Conflict):
    """The dataset has a different kind: phantoms or patients. The kind of the dataset decides
    whether a model counts as trained on phantoms, so one dataset never contains both kinds.
    """

    code = "dataset-of-other-kind"
    text = (
        "The dataset {name!r} holds {kind} images and takes no {other} ones. Put them under "
        "another name."
    )


@dataclass(frozen=True)
class Labelled:
    """An image with its facts. The mask is a raster of the same size, non-zero inside the
    nodule.
    """

    image: BinaryIO
    mask: BinaryIO | None
    facts: Facts


class DatasetService:
    def __init__(self, session: SystemSession) -> None:
        self._session = session

    def create(self, name: str, synthetic: bool) -> Dataset:
        """Return the dataset of this name. It is created if it does not exist. Raises
        DatasetNameInvalid, DatasetOfOtherKind.
        """
        check_name(name)
        self._session.datasets.ensure(name, synthetic)
        dataset = self._session.datasets.find(name)
        if dataset.synthetic != synthetic:
            raise DatasetOfOtherKind(
                name=name, kind=_kind(dataset.synthetic), other=_kind(synthetic)
            )
        return dataset

    def try_create(self, name: str, synthetic: bool) -> Dataset:
        """Return the dataset that `create` would return, and create nothing."""
        with self._session.undone():
            return self.create(name, synthetic)

    def all(self) -> list[Dataset]:
        return self._session.datasets.all()

    def read(self, name: str) -> DatasetDetail:
        dataset = find_dataset(self._session, name)
        return dataset_detail(dataset, self._session.datasets.split_counts(dataset.id))

    def composition(self, name: str, number: int | None) -> CompositionView:
        """Return the composition of the version with this number, or of the draft if it is None."""
        dataset = find_dataset(self._session, name).id
        if number is None:
            return composition_view(self._session.compositions.of_draft(dataset))
        version = self._session.versions.find(dataset, number)
        return composition_view(self._session.compositions.of_version(version.id))

    def known(self, name: str, hashes: list[str]) -> KnownImages:
        dataset_hashes = self._session.cleaned_files.dataset_hashes(set(hashes))
        dataset = find_dataset(self._session, name).id
        images = self._session.drafts.find_images(dataset, set(dataset_hashes.values()))
        images_by_source = {
            source_hash: images[dataset_hash]
            for source_hash, dataset_hash in dataset_hashes.items()
            if dataset_hash in images
        }
        return known_images(images_by_source)

    def correct(
        self, name: str, image_sha256: str, correction: Correction, tags: ETags
    ) -> ImageView:
        changes = {
            column: getattr(correction, column)
            for column in correction.model_fields_set
        }
        if "patient" in changes:
            changes["patient"] = self._session.pseudonyms.pseudonymise(
                changes["patient"]
            )
        image = _dataset_hash(self._session, image_sha256)
        dataset = find_dataset(self._session, name).id
        changed = self._session.drafts.change(dataset, image, changes, tags)
        return image_view(changed)

    def remove(self, name: str, image_sha256: str, tags: ETags) -> ImageView:
        dataset = find_dataset(self._session, name).id
        image = _dataset_hash(self._session, image_sha256)
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
        """Return a version, and its changes since another version, by default the previous
        version.
        """
        versions = self._session.versions
        dataset = find_dataset(self._session, name).id
        version = versions.find(dataset, number)
        base_number = against or number - 1
        if not base_number:
            return version_detail(version, None, against=0)
        base = versions.find(dataset, base_number)
        difference = versions.difference(base.id, version.id)
        return version_detail(version, difference, against=base_number)

    def import_outcomes(
        self, name: str, outcome_filter: OutcomeFilter, tags: ETags
    ) -> OutcomeImportView:
        dataset = find_dataset(self._session, name)
        if dataset.synthetic:
            raise DatasetOfOtherKind(name=name, kind=_kind(True), other=_kind(False))
        outcome_import = self._session.consents.import_outcomes(
            dataset.id, outcome_filter.since, outcome_filter.hospital, tags
        )
        return _outcome_import_view(outcome_import)


class ImageService:
    """Adds a labelled image. The transaction that adds it begins after its files are stored."""

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
        """Store an image and its label. Returns the hash of the image and whether it is new.

        The same image with the same label changes nothing.
        """
        find_dataset(self._session, name)
        self._session.transaction.commit()
        image = labelled.image.read()
        mask = labelled.mask.read() if labelled.mask else None
        roi = facts_roi(labelled.facts)
        stored = self._files.store(image, mask, roi).hashes
        if self._idempotent is not None:
            self._idempotent.reserve()
        dataset = find_dataset(self._session, name).id
        self._files.record(self._session, dataset, [stored])
        [content] = dataset_contents(self._session, [uploaded_content(stored)])
        row = labelled_image(content, labelled.facts, self._session.pseudonyms)
        return content.image_sha256, self._session.datasets.add(dataset, [row]) == 1


def facts_roi(facts: Facts) -> Roi | None:
    return None if facts.roi is None else Roi.parse(facts.roi)


def check_name(name: str) -> None:
    """Raise DatasetNameInvalid unless a dataset can have this name."""
    if not NAME.fullmatch(name):
        raise DatasetNameInvalid(name=name)


def find_dataset(session: SystemSession, name: str) -> Dataset:
    """Return the dataset of a name from a URL path. The name may be any text. Raises
    DatasetUnknown.
    """
    if not NAME.fullmatch(name):
        raise DatasetUnknown(name=name)
    return session.datasets.find(name)


def _dataset_hash(session: SystemSession, image_sha256: str) -> str:
    """Convert the hash of an uploaded file to the hash under which datasets store the image."""
    return session.cleaned_files.dataset_hashes([image_sha256])[image_sha256]


def labelled_image(
    content: Content, facts: Facts, pseudonyms: Pseudonyms
) -> LabelledImage:
    columns: dict[str, Any] = facts.model_dump()
    columns["patient"] = pseudonyms.pseudonymise(facts.patient)
    return LabelledImage(
        content.image_sha256, mask_sha256=content.mask_sha256, **columns
    )


def _outcome_import_view(outcome_import: OutcomeImport) -> OutcomeImportView:
    withdrawn = [WithdrawnView(**vars(image)) for image in outcome_import.withdrawn]
    refused = [
        RefusedView(
            case_id=image.case_id,
            image_sha256=image.image_sha256,
            **error_item(image.reason),
        )
        for image in outcome_import.refused
    ]
    return OutcomeImportView(
        added=outcome_import.added,
        corrected=outcome_import.corrected,
        known=outcome_import.known,
        withdrawn=withdrawn,
        refused=refused,
    )


def _kind(synthetic: bool) -> str:
    return "synthetic" if synthetic else "clinical"
