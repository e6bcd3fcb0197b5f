from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text
from sqlalchemy.exc import InternalError

from shared.domain.audit.events import Event
from shared.domain.training.states import Split
from shared.ledger.datasets.freeze_checks import (
    GroupInTrainAndTest,
    LockedTestImage,
    LockedTestPatient,
)
from shared.ledger.datasets.repository import LabelledImage
from shared.ledger.datasets.versions import (
    DatasetEmpty,
    VersionDifference,
    VersionUnknown,
)

TRAIN = Split.TRAIN
TEST = Split.TEST


def image(number, split=TRAIN, **facts):
    return LabelledImage(f"{number:064x}", bool(number % 2), split, **facts)


@pytest.fixture
def system(ledger):
    with ledger.system_session("test") as system:
        yield system


@pytest.fixture
def dataset(system):
    return system.datasets.ensure("set")


def test_an_unchanged_dataset_gives_the_version_it_has(system, dataset):
    system.drafts.add(dataset, [image(1), image(2, TEST)])
    first = system.versions.freeze(dataset)
    unchanged = system.versions.freeze(dataset)
    assert (
        first.number,
        first.new,
        first.images,
        first.malignant,
        first.test_images,
    ) == (
        1,
        True,
        2,
        1,
        1,
    )
    assert (unchanged.id, unchanged.new) == (first.id, False)
    assert [entry.event for entry in system.audit.page()].count(
        Event.DATASET_FROZEN
    ) == 1


def test_versions_tell_what_came_between_them(system, dataset):
    system.drafts.add(dataset, [image(number) for number in range(6)])
    first = system.versions.freeze(dataset)
    system.drafts.add(dataset, [image(6), image(7), image(8)])
    system.drafts.remove(dataset, image(0).image_sha256)
    system.drafts.change(dataset, image(1).image_sha256, {"malignant": False})
    system.drafts.change(dataset, image(2).image_sha256, {"site": "north"})
    second = system.versions.freeze(dataset)
    assert [version.number for version in system.versions.all(dataset)] == [2, 1]
    assert system.versions.difference(first.id, second.id) == VersionDifference(
        3, 1, 1, 1
    )
    assert len(system.versions.images(first.id)) == 6
    assert system.versions.images(first.id)[1] == image(1)


def test_a_dataset_without_images_is_not_frozen(system, dataset):
    with pytest.raises(DatasetEmpty):
        system.versions.freeze(dataset)
    with pytest.raises(VersionUnknown):
        system.versions.find(dataset)


CHANGES = {"dataset_versions": "images = 0", "version_images": "split = 'train'"}


@pytest.mark.parametrize("table", CHANGES)
def test_the_database_itself_refuses_to_change_what_is_frozen(ledger, table):
    with ledger.system_session("test") as system:
        dataset = system.datasets.ensure("set")
        system.drafts.add(dataset, [image(1, TEST)])
        system.versions.freeze(dataset)
    for change in (
        f"DELETE FROM {table}",
        f"TRUNCATE {table} CASCADE",
        f"UPDATE {table} SET {CHANGES[table]}",
    ):
        with (
            ledger.engine.connect() as connection,
            pytest.raises(InternalError, match="is append-only"),
        ):
            connection.execute(text(change))


def test_a_patient_in_both_parts_is_named_and_not_frozen(system, dataset):
    images = [
        image(number, part, patient="p", site="north")
        for number, part in ((1, TEST), (2, TRAIN))
    ]
    system.drafts.add(dataset, [*images, image(3, TEST, patient="p", site="south")])
    with pytest.raises(GroupInTrainAndTest, match=r"1, patient north/p"):
        system.versions.freeze(dataset)


def test_a_training_image_of_any_datasets_locked_test_set_is_refused(system, dataset):
    other_dataset = system.datasets.ensure("other")
    system.drafts.add(other_dataset, [image(n, TEST) for n in range(5)])
    system.versions.freeze(other_dataset)
    for number in range(5):
        system.drafts.remove(other_dataset, image(number).image_sha256)
    system.drafts.add(dataset, [image(n) for n in range(2, 9)])
    with pytest.raises(LockedTestImage, match=f": 3, {image(2).image_sha256}"):
        system.versions.freeze(dataset)
    for number in (2, 3, 4):
        system.drafts.change(dataset, image(number).image_sha256, {"split": TEST})
    assert system.versions.freeze(dataset).test_images == 3
    assert system.versions.locked_test_images(
        [image(n).image_sha256 for n in range(9)]
    ) == {image(n).image_sha256 for n in range(5)}


def test_a_patient_of_another_datasets_locked_test_set_is_recognised_within_the_site(
    system, dataset
):
    other_dataset = system.datasets.ensure("other")
    system.drafts.add(
        other_dataset,
        [image(1, TEST, patient="p", site="north"), image(2, TEST, patient="q")],
    )
    system.versions.freeze(other_dataset)
    system.drafts.add(
        dataset,
        [
            image(3, patient="p", site="south"),
            image(4, patient="p"),
            image(5, patient="q"),
        ],
    )
    assert system.versions.freeze(dataset).images == 3
    system.drafts.add(dataset, [image(6, patient="p", site="north")])
    with pytest.raises(LockedTestPatient, match=f": 1, {image(6).image_sha256}"):
        system.versions.freeze(dataset)


def test_two_freezes_at_once_make_one_version(ledger):
    with ledger.system_session("test") as system:
        dataset = system.datasets.ensure("set")
        system.drafts.add(dataset, [image(number) for number in range(50)])

    def freeze(_):
        with ledger.system_session("test") as system:
            return system.versions.freeze(dataset)

    with ThreadPoolExecutor(4) as pool:
        frozen = list(pool.map(freeze, range(4)))
    assert len({version.id for version in frozen}) == 1
    assert sorted(version.new for version in frozen) == [False, False, False, True]


def test_an_image_added_during_a_freeze_is_in_the_version_whole_or_not_at_all(ledger):
    with ledger.system_session("test") as system:
        dataset = system.datasets.ensure("set")
        system.drafts.add(dataset, [image(1000)])

    def add(number):
        with ledger.system_session("test") as system:
            system.drafts.add(dataset, [image(number)])

    def freeze(_):
        with ledger.system_session("test") as system:
            return system.versions.freeze(dataset)

    with ThreadPoolExecutor(6) as pool:
        adding = [pool.submit(add, number) for number in range(30)]
        frozen = list(pool.map(freeze, range(10)))
        assert all(future.result() is None for future in adding)
    with ledger.system_session("test") as system:
        assert all(
            version.images == len(system.versions.images(version.id))
            for version in frozen
        )
