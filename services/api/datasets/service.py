"""Datasets: fill them, correct them, split them, freeze them."""

from contextlib import AbstractContextManager
from dataclasses import dataclass, fields
from typing import Any, BinaryIO

from services.api.datasets.composition import CompositionView, composition_view
from services.api.datasets.content import Content, as_came, keep, known_by, settle
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
    TakenView,
    VersionDetail,
    VersionView,
    WithdrawnView,
    detail,
    frozen_view,
    image_view,
    known_images,
    split_view,
    version_detail,
    version_view,
)
from services.api.dependencies import Wiring
from shared.errors import Conflict, InputError
from shared.ledger import SystemSession
from shared.ledger.consents import Taken
from shared.ledger.datasets import Dataset, DatasetUnknown
from shared.ledger.editing import Tags
from shared.ledger.hospitals import Caller
from shared.ledger.labelled import LabelledImage
from shared.ledger.pseudonyms import Pseudonyms

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


class DatasetDesk:
    def __init__(self, wired: Wiring, who: Caller) -> None:
        self._wired, self._who = wired, who

    def create(self, name: str, synthetic: bool) -> Dataset:
        """The dataset of this name, made if it is new."""
        if not NAME.fullmatch(name):
            raise DatasetNameInvalid(name=name)
        with self._house() as session:
            session.datasets.ensure(name, synthetic)
            dataset = session.datasets.find(name)
        if dataset.synthetic != synthetic:
            raise DatasetOfOtherKind(
                name=name, kind=_kind(dataset.synthetic), other=_kind(synthetic)
            )
        return dataset

    def all(self) -> list[Dataset]:
        with self._house() as session:
            return session.datasets.all()

    def read(self, name: str) -> DatasetDetail:
        with self._house() as session:
            dataset = find(session, name)
            return detail(dataset, session.datasets.shares(dataset.id))

    def composition(self, name: str, number: int | None) -> CompositionView:
        """Of the draft, or of a version by its number."""
        with self._house() as session:
            dataset = find(session, name).id
            if number is None:
                return composition_view(session.compositions.of_draft(dataset))
            return composition_view(
                session.compositions.of_version(session.versions.find(dataset, number).id)
            )

    def add(self, name: str, labelled: Labelled) -> tuple[str, bool]:
        """Store an image and its label; the same image under the same label changes nothing."""
        with self._house() as session:
            dataset = find(session, name)
        kept = keep(
            self._wired, labelled.image.read(), labelled.mask.read() if labelled.mask else None
        )
        with self._house() as session:
            settle(self._wired, session, dataset.id, [kept])
            [content] = known_by(session, [as_came(kept)])
            row = offered(content, labelled.facts, session.pseudonyms)
            return content.image_sha256, session.datasets.add(dataset.id, [row]) == 1

    def known(self, name: str, hashes: list[str]) -> KnownImages:
        with self._house() as session:
            names = session.cleanings.names(set(hashes))
            held = session.drafts.held(find(session, name).id, set(names.values()))
            return known_images(
                {asked: held[stored] for asked, stored in names.items() if stored in held}
            )

    def correct(
        self, name: str, image_sha256: str, correction: Correction, tags: Tags
    ) -> ImageView:
        changes = {column: getattr(correction, column) for column in correction.model_fields_set}
        with self._house() as session:
            if "patient" in changes:
                changes["patient"] = session.pseudonyms.of(changes["patient"])
            image = _named(session, image_sha256)
            return image_view(session.drafts.change(find(session, name).id, image, changes, tags))

    def remove(self, name: str, image_sha256: str, tags: Tags) -> ImageView:
        with self._house() as session:
            return image_view(
                session.drafts.remove(find(session, name).id, _named(session, image_sha256), tags)
            )

    def split(self, name: str, new: NewSplit, tags: Tags) -> SplitView:
        with self._house() as session:
            dataset = find(session, name).id
            if new.sites:
                return split_view(session.drafts.split_by_site(dataset, new.sites, tags))
            share, seed = new.test_share or TEST_SHARE, new.seed or 0
            return split_view(session.drafts.split_by_patient(dataset, share, seed, tags))

    def freeze(self, name: str, tags: Tags) -> FrozenView:
        with self._house() as session:
            return frozen_view(session.versions.freeze(find(session, name).id, tags))

    def versions(self, name: str) -> list[VersionView]:
        with self._house() as session:
            return [
                version_view(version) for version in session.versions.all(find(session, name).id)
            ]

    def version(self, name: str, number: int, against: int | None) -> VersionDetail:
        """A version, and what it changed against another one: the one before, if none is named."""
        with self._house() as session:
            dataset = find(session, name).id
            version, other = session.versions.find(dataset, number), against or number - 1
            if not other:
                return version_detail(version, None, against=0)
            older = session.versions.find(dataset, other)
            difference = session.versions.difference(older.id, version.id)
            return version_detail(version, difference, against=other)

    def take_outcomes(self, name: str, which: OutcomeFilter, tags: Tags) -> TakenView:
        with self._house() as session:
            dataset = find(session, name)
            if dataset.synthetic:
                raise DatasetOfOtherKind(name=name, kind=_kind(True), other=_kind(False))
            return _taken(session.consents.take(dataset.id, which.moment, which.hospital, tags))

    def _house(self) -> AbstractContextManager[SystemSession]:
        return self._wired.ledger.system_session(self._who.actor)


def find(session: SystemSession, name: str) -> Dataset:
    """The dataset of a name from an address, which may be anything."""
    if not NAME.fullmatch(name):
        raise DatasetUnknown(name=name)
    return session.datasets.find(name)


def _named(session: SystemSession, image_sha256: str) -> str:
    """The image's hash in datasets, of its file's."""
    return session.cleanings.names([image_sha256])[image_sha256]


def offered(content: Content, facts: Facts, pseudonyms: Pseudonyms) -> LabelledImage:
    told: dict[str, Any] = facts.model_dump() | {"patient": pseudonyms.of(facts.patient)}
    return LabelledImage(content.image_sha256, mask_sha256=content.mask_sha256, **told)


def _taken(taken: Taken) -> TakenView:
    withdrawn = [WithdrawnView(**vars(each)) for each in taken.withdrawn]
    refused = [
        RefusedView(
            case_id=each.case_id,
            image_sha256=each.image_sha256,
            code=each.reason.code,
            message=str(each.reason),
        )
        for each in taken.refused
    ]
    counts = {field.name: getattr(taken, field.name) for field in fields(Taken)}
    return TakenView(**counts | {"withdrawn": withdrawn, "refused": refused})


def _kind(synthetic: bool) -> str:
    return "synthetic" if synthetic else "clinical"
