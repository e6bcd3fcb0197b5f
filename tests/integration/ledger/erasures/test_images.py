"""Images of erased cases in data sets, and in the object store's list of orphans."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy.exc import DBAPIError

from shared.domain.outcomes import OutcomeSource
from shared.domain.training.states import Split
from shared.ledger.cases.outcomes import NewOutcome
from shared.ledger.datasets.labelled_image import LabelledImage
from shared.ledger.datasets.versions import VersionHasErasedImages, check_usable
from tests.integration.ledger.erasures.conftest import FULL_CASE, PNG, waits_for_a_lock
from tests.support.builders import CASE


@pytest.fixture
def frozen_case(ledger, hospital, create_case, finish):
    """A case whose image is in a frozen version, beside two imported images."""
    accepted = create_case()
    finish()
    with ledger.hospital_session(hospital, "test") as session:
        session.outcomes.record(
            accepted.case_id, NewOutcome(True, OutcomeSource.HISTOLOGY, consent=True)
        )
    with ledger.system_session("test") as system:
        dataset = system.datasets.ensure("set")
        system.drafts.add(
            dataset,
            [
                LabelledImage("e" * 64, False, Split.TRAIN),
                LabelledImage(PNG, True, Split.TRAIN),
            ],
        )
        assert system.consents.import_outcomes(dataset).added == 1
        version = system.versions.freeze(dataset)
    return accepted.case_id, dataset, version


def test_an_erased_image_leaves_the_draft_and_later_versions_and_shuts_the_frozen_one(
    ledger, frozen_case, erase
):
    case_id, dataset, version = frozen_case
    with ledger.system_session("test") as system:
        assert system.versions.erased_images(version.id) == set()
    erase(case_id)
    with ledger.system_session("test") as system:
        assert system.consents.datasets_with_erased_cases() == [dataset]
        assert [
            removed.case_id for removed in system.consents.remove_erased(dataset)
        ] == [case_id]
        assert system.consents.datasets_with_erased_cases() == []
        erased = system.versions.erased_images(version.id)
        assert erased == {CASE.image_sha256}
        with pytest.raises(VersionHasErasedImages, match="1 images of this version"):
            check_usable(erased)
        assert system.versions.find(dataset, 1).images == 3
        row = next(
            image
            for image in system.versions.images(version.id)
            if image.image_sha256 in erased
        )
        assert (row.malignant, row.split, row.site) == (True, Split.TRAIN, "north")
        assert (row.roi, row.size_mm, row.frame, row.tirads) == (None,) * 4
        next_version = system.versions.freeze(dataset)
        assert (
            next_version.number,
            next_version.images,
            system.versions.erased_images(next_version.id),
        ) == (
            2,
            2,
            set(),
        )


def test_a_frozen_row_is_blanked_with_its_case_and_by_nobody_else(
    ledger, frozen_case, erase
):
    case_id, *_ = frozen_case
    blank = "UPDATE version_images SET roi = NULL, size_mm = NULL"
    change = "UPDATE version_images SET malignant = false WHERE case_id IS NOT NULL"
    for erased in (False, True):
        for statement in (blank, change) if not erased else (change,):
            with (
                pytest.raises(DBAPIError, match="append-only"),
                ledger.engine.begin() as owner,
            ):
                owner.exec_driver_sql(statement)
        erase(case_id)


def test_a_freeze_and_an_erasure_at_the_same_moment_leave_nothing_of_the_nodule(
    ledger, frozen_case, erase
):
    case_id, dataset, _ = frozen_case
    with ThreadPoolExecutor(1) as pool:
        with ledger.system_session("test") as system:
            system.drafts.remove(dataset, PNG)
            version = system.versions.freeze(dataset)
            erasing = pool.submit(erase, case_id)
            assert waits_for_a_lock(ledger)
        assert erasing.result()
    with ledger.system_session("test") as system:
        assert {row.size_mm for row in system.versions.images(version.id)} == {None}


def test_freezing_takes_erased_cases_out_even_before_the_sweep(
    ledger, frozen_case, erase
):
    case_id, dataset, _ = frozen_case
    erase(case_id)
    with ledger.system_session("test") as system:
        assert system.versions.freeze(dataset).images == 2


def test_an_image_is_let_go_of_by_a_frozen_version_but_not_by_what_was_imported_or_is_another_case(
    ledger, hospital, frozen_case, create_case, erase
):
    def removable(sha256):
        with ledger.system_session("test") as system:
            return system.orphaned_objects.claim(sha256)

    case_id, *_ = frozen_case
    other_case = create_case().case_id
    erase(case_id)
    assert removable(CASE.image_sha256) is False
    with ledger.system_session("test") as system:
        assert system.orphaned_objects.waiting(9) == []
    erase(other_case)
    assert removable(CASE.image_sha256) is True
    erase(create_case(replace(FULL_CASE, image_sha256=PNG)).case_id)
    assert removable(PNG) is False


def test_an_object_that_is_held_is_not_removed(ledger, create_case, erase, hospital):
    erase(create_case().case_id)
    with ledger.hospital_session(hospital, "test") as session:
        assert session.orphaned_objects.hold([CASE.image_sha256]) == {CASE.image_sha256}
        with ledger.system_session("test") as system:
            assert system.orphaned_objects.claim(CASE.image_sha256) is False
            assert system.orphaned_objects.count() == 1
    with ledger.system_session("test") as system:
        assert (
            system.orphaned_objects.claim(CASE.image_sha256),
            system.orphaned_objects.count(),
        ) == (
            False,
            0,
        )
