from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pytest

from shared.domain.audit.events import Event
from shared.domain.jobs import Priority
from shared.domain.outcomes import OutcomeSource
from shared.domain.training.states import Split
from shared.errors import NotFound
from shared.ledger.cases.outcomes import NewOutcome
from shared.ledger.datasets.consents import HospitalUnknown
from shared.ledger.datasets.repository import LabelledImage
from tests.support.builders import CASE

YES = NewOutcome(True, OutcomeSource.HISTOLOGY, date(2026, 3, 1), "17", consent=True)
NO = replace(YES, consent=False)


def sha(number):
    return f"{number:064x}"


@pytest.fixture
def case(ledger):
    """A hospital's case of an image by number."""

    def opened(number, hospital="north", **facts):
        with ledger.system_session("test") as house:
            hospital_id = house.hospitals.ensure(hospital)
        with ledger.hospital_session(hospital_id, "test") as book:
            return book.cases.add(replace(CASE, image_sha256=sha(number), **facts))

    return opened


@pytest.fixture
def say(ledger):
    """A hospital says what a case turned out to be."""

    def told(case_id, outcome, hospital="north"):
        with ledger.system_session("test") as house:
            hospital_id = house.hospitals.ensure(hospital)
        with ledger.hospital_session(hospital_id, "key:a") as book:
            return book.outcomes.record(case_id, outcome)

    return told


@pytest.fixture
def take(ledger):
    def taken(**filters):
        with ledger.system_session("operator") as house:
            return house.consents.import_outcomes(house.datasets.ensure("set"), **filters)

    return taken


@pytest.fixture
def rows(ledger):
    def found():
        with ledger.system_session("test") as house:
            return house.datasets.images(house.datasets.ensure("set"))

    return found


def freeze(ledger):
    with ledger.system_session("operator") as house:
        return house.versions.freeze(house.datasets.ensure("set"))


def test_the_last_outcome_counts_and_the_earlier_ones_stay(ledger, case, say):
    this = case(1)
    say(this, YES)
    say(this, replace(NO, malignant=False, patient=None))
    with ledger.system_session("test") as house:
        hospital = house.hospitals.ensure("north")
        events = [
            entry
            for entry in house.audit.page()
            if entry.event == Event.OUTCOME_RECORDED
        ]
    with ledger.hospital_session(hospital, "test") as book:
        latest = book.outcomes.latest(this)
    assert (latest.malignant, latest.consent, len(latest.patient)) == (False, False, 32)
    assert [(entry.case_id, entry.details["consent"]) for entry in events] == [
        (this, True),
        (this, False),
    ]
    assert not {"malignant", "patient", "source"} & set(events[0].details)


def test_another_hospitals_case_has_no_outcome_to_record(case, say):
    this = case(1)
    for wrong in (this, uuid4()):
        with pytest.raises(NotFound):
            say(wrong, YES, hospital="south")


def test_a_case_with_consent_comes_into_the_draft_as_the_hospital_sent_it(
    case, say, take, rows, ledger
):
    roi = {"box": [1, 2, 30, 40]}
    say(case(1, roi=roi, frame=7, size_mm=11.5), YES)
    say(case(2), NO)
    case(3)
    assert take().added == 1
    with ledger.system_session("test") as house:
        patient = house.pseudonyms.pseudonymise("17")
    assert rows() == [
        LabelledImage(
            sha(1), True, Split.TRAIN, roi, None, 7, patient, "north", 11.5, None
        )
    ]
    assert (take().added, take().known) == (0, 0)


def test_filters_narrow_what_is_added(case, say, take):
    say(case(1), YES)
    say(case(2, "south"), YES, "south")
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    assert take(since=tomorrow).added == 0
    assert take(since=tomorrow - timedelta(days=2), hospital="south").added == 1
    assert take().added == 1
    with pytest.raises(HospitalUnknown):
        take(hospital="west")


def test_a_corrected_label_corrects_the_draft_and_no_frozen_version(
    case, say, take, rows, ledger
):
    this = case(1)
    say(this, YES)
    take()
    version = freeze(ledger)
    say(this, replace(YES, malignant=False))
    assert (take().corrected, take().corrected) == (1, 0)
    assert rows()[0].malignant is False
    with ledger.system_session("test") as house:
        assert house.versions.images(version.id)[0].malignant is True


def test_withdrawn_consent_takes_the_image_out_and_says_which_versions_hold_it(
    case, say, take, rows, ledger
):
    this = case(1)
    frozen_only = case(2)
    say(this, YES)
    say(frozen_only, YES)
    take()
    version = freeze(ledger)
    say(this, NO)
    (gone,) = take(since=datetime.now(UTC) + timedelta(days=1)).withdrawn
    assert (gone.case_id, gone.image_sha256, gone.versions) == (
        this,
        sha(1),
        (version.number,),
    )
    assert [row.image_sha256 for row in rows()] == [sha(2)]
    assert (take().withdrawn, take().added) == ([], 0)


def test_consent_withdrawn_since_the_last_taking_is_honoured_by_the_freeze_itself(
    case, say, take, ledger
):
    this = case(1)
    other = case(2)
    say(this, YES)
    say(other, YES)
    take()
    say(this, NO)
    version = freeze(ledger)
    with ledger.system_session("test") as house:
        assert [row.image_sha256 for row in house.versions.images(version.id)] == [
            sha(2)
        ]
        recorded = [
            entry
            for entry in house.audit.page()
            if entry.details.get("change") == "withdrawn"
        ]
    assert [entry.case_id for entry in recorded] == [this]


def test_consent_given_again_brings_the_image_back_into_its_old_part(
    case, say, take, rows, ledger
):
    this = case(1)
    say(this, YES)
    take()
    with ledger.system_session("test") as house:
        house.drafts.change(house.datasets.ensure("set"), sha(1), {"split": Split.TEST})
    freeze(ledger)
    for outcome in (NO, YES):
        say(this, outcome)
        take()
    assert rows()[0].split == Split.TEST


def test_an_image_sent_twice_is_one_image_and_the_last_word_on_it_counts(
    case, say, take, rows
):
    first = case(1)
    again = case(1, size_mm=20.0)
    say(first, YES)
    say(again, replace(YES, malignant=False))
    assert take().added == 1
    assert (rows()[0].malignant, rows()[0].size_mm) == (False, 20.0)
    say(first, NO)
    assert [gone.image_sha256 for gone in take().withdrawn] == [sha(1)]


def test_a_new_image_of_a_frozen_patient_goes_where_the_patient_is(
    case, say, take, rows, ledger
):
    with ledger.system_session("test") as house:
        dataset = house.datasets.ensure("set")
        patient = house.pseudonyms.pseudonymise("17")
        house.drafts.add(
            dataset,
            [LabelledImage(sha(9), False, Split.TEST, patient=patient, site="north")],
        )
    freeze(ledger)
    say(case(1), YES)
    say(case(2, "south"), YES, "south")
    take()
    assert {row.image_sha256: row.split for row in rows()} == {
        sha(1): "test",
        sha(2): "train",
        sha(9): "test",
    }


def test_an_imported_image_is_left_as_it_is_and_a_contradiction_reported(
    case, say, take, rows, ledger
):
    imported = [
        LabelledImage(sha(1), True, Split.TRAIN),
        LabelledImage(sha(2), False, Split.TRAIN),
    ]
    imported = [
        replace(image, site="north", size_mm=CASE.size_mm) for image in imported
    ]
    with ledger.system_session("test") as house:
        house.drafts.add(house.datasets.ensure("set"), imported)
    for number in (1, 2):
        say(case(number), replace(YES, patient=None))
    taken = take()
    assert (taken.added, taken.known, [each.reason.code for each in taken.refused]) == (
        0,
        1,
        ["label-differs"],
    )
    assert rows() == imported


def test_a_case_whose_image_could_not_be_read_is_refused_with_the_reason(
    case, say, take, ledger
):
    this = case(1)
    with ledger.system_session("test") as house:
        hospital = house.hospitals.ensure("north")
    with ledger.hospital_session(hospital, "test") as book:
        book.jobs.create(this, Priority.ROUTINE)
    with ledger.engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE jobs SET state = 'failed', reason = 'image-unreadable'"
        )
    say(this, YES)
    (refused,) = take().refused
    assert (refused.reason.code, "image-unreadable" in str(refused.reason)) == (
        "case-failed",
        True,
    )
