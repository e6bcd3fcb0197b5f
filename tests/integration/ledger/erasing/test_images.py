"""Images of erased cases in data sets, and in the object store's list of orphans."""

from dataclasses import replace

import pytest

from shared.domain.outcomes import OutcomeSource
from shared.domain.training import Split
from shared.ledger.labelled import LabelledImage
from shared.ledger.outcomes import NewOutcome
from shared.ledger.versions import VersionHoldsErased, check_usable
from tests.builders import CASE
from tests.integration.ledger.erasing.conftest import MINE, PNG


@pytest.fixture
def taken(ledger, hospital, opened, finish):
    """A case whose image a dataset took with the hospital's consent, frozen beside two imported images."""
    accepted = opened()
    finish()
    with ledger.scoped(hospital, "test") as book:
        book.outcomes.record(accepted.case_id, NewOutcome(True, OutcomeSource.HISTOLOGY, consent=True))
    with ledger.whole("test") as house:
        dataset = house.datasets.ensure("set")
        house.drafts.offer(
            dataset, [LabelledImage("e" * 64, False, Split.TRAIN), LabelledImage(PNG, True, Split.TRAIN)]
        )
        assert house.consents.take(dataset).added == 1
        version = house.versions.freeze(dataset)
    return accepted.case_id, dataset, version


def test_an_erased_image_leaves_the_draft_and_later_versions_and_shuts_the_frozen_one(ledger, taken, erase):
    case_id, dataset, version = taken
    with ledger.whole("test") as house:
        assert house.versions.erased(version.id) == set()
    erase(case_id)
    with ledger.whole("test") as house:
        assert house.consents.with_erased() == [dataset]
        assert [each.case_id for each in house.consents.forget(dataset)] == [case_id]
        assert house.consents.with_erased() == []
        erased = house.versions.erased(version.id)
        assert erased == {CASE.image_sha256}
        with pytest.raises(VersionHoldsErased, match="1 images of this version"):
            check_usable(erased)
        assert house.versions.find(dataset, 1).images == 3
        again = house.versions.freeze(dataset)
        assert (again.number, again.images, house.versions.erased(again.id)) == (2, 2, set())


def test_freezing_takes_erased_cases_out_even_before_the_sweep(ledger, taken, erase):
    case_id, dataset, _ = taken
    erase(case_id)
    with ledger.whole("test") as house:
        assert house.versions.freeze(dataset).images == 2


def test_an_image_is_let_go_of_by_a_frozen_version_but_not_by_what_was_imported_or_is_another_case(
    ledger, hospital, taken, opened, erase
):
    def removable(sha256):
        with ledger.whole("test") as house:
            return house.orphans.take(sha256)

    case_id, *_ = taken
    other = opened().case_id
    erase(case_id)
    assert removable(CASE.image_sha256) is False
    with ledger.whole("test") as house:
        assert house.orphans.waiting(9) == []
    erase(other)
    assert removable(CASE.image_sha256) is True
    erase(opened(replace(MINE, image_sha256=PNG)).case_id)
    assert removable(PNG) is False


def test_an_object_that_is_held_is_not_removed(ledger, opened, erase, hospital):
    erase(opened().case_id)
    with ledger.scoped(hospital, "test") as book:
        assert book.orphans.hold([CASE.image_sha256]) == {CASE.image_sha256}
        with ledger.whole("test") as house:
            assert house.orphans.take(CASE.image_sha256) is False
            assert house.orphans.count() == 1
    with ledger.whole("test") as house:
        assert (house.orphans.take(CASE.image_sha256), house.orphans.count()) == (False, 0)
