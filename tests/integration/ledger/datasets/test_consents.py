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

    def add_case(number, hospital="north", **facts):
        with ledger.system_session("test") as system:
            hospital_id = system.hospitals.ensure(hospital)
        with ledger.hospital_session(hospital_id, "test") as session:
            return session.cases.add(replace(CASE, image_sha256=sha(number), **facts))

    return add_case


@pytest.fixture
def record_outcome(ledger):
    """A hospital says what a case turned out to be."""

    def record_outcome(case_id, outcome, hospital="north"):
        with ledger.system_session("test") as system:
            hospital_id = system.hospitals.ensure(hospital)
        with ledger.hospital_session(hospital_id, "key:a") as session:
            return session.outcomes.record(case_id, outcome)

    return record_outcome


@pytest.fixture
def import_outcomes(ledger):
    def import_outcomes(**filters):
        with ledger.system_session("operator") as system:
            return system.consents.import_outcomes(
                system.datasets.ensure("set"), **filters
            )

    return import_outcomes


@pytest.fixture
def rows(ledger):
    def found():
        with ledger.system_session("test") as system:
            return system.datasets.images(system.datasets.ensure("set"))

    return found


def freeze(ledger):
    with ledger.system_session("operator") as system:
        return system.versions.freeze(system.datasets.ensure("set"))


def test_the_last_outcome_counts_and_the_earlier_ones_stay(
    ledger, case, record_outcome
):
    first_case = case(1)
    record_outcome(first_case, YES)
    record_outcome(first_case, replace(NO, malignant=False, patient=None))
    with ledger.system_session("test") as system:
        hospital = system.hospitals.ensure("north")
        events = [
            entry
            for entry in system.audit.page()
            if entry.event == Event.OUTCOME_RECORDED
        ]
    with ledger.hospital_session(hospital, "test") as session:
        latest = session.outcomes.latest(first_case)
    assert (latest.malignant, latest.consent, len(latest.patient)) == (False, False, 32)
    assert [(entry.case_id, entry.details["consent"]) for entry in events] == [
        (first_case, True),
        (first_case, False),
    ]
    assert not {"malignant", "patient", "source"} & set(events[0].details)


def test_another_hospitals_case_has_no_outcome_to_record(case, record_outcome):
    first_case = case(1)
    for wrong in (first_case, uuid4()):
        with pytest.raises(NotFound):
            record_outcome(wrong, YES, hospital="south")


def test_a_case_with_consent_comes_into_the_draft_as_the_hospital_sent_it(
    case, record_outcome, import_outcomes, rows, ledger
):
    roi = {"box": [1, 2, 30, 40]}
    record_outcome(case(1, roi=roi, frame=7, size_mm=11.5), YES)
    record_outcome(case(2), NO)
    case(3)
    assert import_outcomes().added == 1
    with ledger.system_session("test") as system:
        patient = system.pseudonyms.pseudonymise("17")
    assert rows() == [
        LabelledImage(
            image_sha256=sha(1),
            malignant=True,
            split=Split.TRAIN,
            roi=roi,
            frame=7,
            patient=patient,
            site="north",
            size_mm=11.5,
        )
    ]
    assert (import_outcomes().added, import_outcomes().known) == (0, 0)


def test_filters_narrow_what_is_added(case, record_outcome, import_outcomes):
    record_outcome(case(1), YES)
    record_outcome(case(2, "south"), YES, "south")
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    assert import_outcomes(recorded_from=tomorrow).added == 0
    assert (
        import_outcomes(
            recorded_from=tomorrow - timedelta(days=2), hospital="south"
        ).added
        == 1
    )
    assert import_outcomes().added == 1
    with pytest.raises(HospitalUnknown):
        import_outcomes(hospital="west")


def test_a_corrected_label_corrects_the_draft_and_no_frozen_version(
    case, record_outcome, import_outcomes, rows, ledger
):
    first_case = case(1)
    record_outcome(first_case, YES)
    import_outcomes()
    version = freeze(ledger)
    record_outcome(first_case, replace(YES, malignant=False))
    assert (import_outcomes().corrected, import_outcomes().corrected) == (1, 0)
    assert rows()[0].malignant is False
    with ledger.system_session("test") as system:
        assert system.versions.images(version.id)[0].malignant is True


def test_withdrawn_consent_takes_the_image_out_and_says_which_versions_hold_it(
    case, record_outcome, import_outcomes, rows, ledger
):
    first_case = case(1)
    frozen_only = case(2)
    record_outcome(first_case, YES)
    record_outcome(frozen_only, YES)
    import_outcomes()
    version = freeze(ledger)
    record_outcome(first_case, NO)
    (withdrawn,) = import_outcomes(
        recorded_from=datetime.now(UTC) + timedelta(days=1)
    ).withdrawn
    assert (withdrawn.case_id, withdrawn.image_sha256, withdrawn.versions) == (
        first_case,
        sha(1),
        (version.number,),
    )
    assert [row.image_sha256 for row in rows()] == [sha(2)]
    assert (import_outcomes().withdrawn, import_outcomes().added) == ([], 0)


def test_consent_withdrawn_since_the_last_taking_is_honoured_by_the_freeze_itself(
    case, record_outcome, import_outcomes, ledger
):
    first_case = case(1)
    second_case = case(2)
    record_outcome(first_case, YES)
    record_outcome(second_case, YES)
    import_outcomes()
    record_outcome(first_case, NO)
    version = freeze(ledger)
    with ledger.system_session("test") as system:
        assert [row.image_sha256 for row in system.versions.images(version.id)] == [
            sha(2)
        ]
        recorded = [
            entry
            for entry in system.audit.page()
            if entry.details.get("change") == "withdrawn"
        ]
    assert [entry.case_id for entry in recorded] == [first_case]


def test_consent_given_again_brings_the_image_back_into_its_old_part(
    case, record_outcome, import_outcomes, rows, ledger
):
    first_case = case(1)
    record_outcome(first_case, YES)
    import_outcomes()
    with ledger.system_session("test") as system:
        system.drafts.change(
            system.datasets.ensure("set"), sha(1), {"split": Split.TEST}
        )
    freeze(ledger)
    for outcome in (NO, YES):
        record_outcome(first_case, outcome)
        import_outcomes()
    assert rows()[0].split == Split.TEST


def test_an_image_sent_twice_is_one_image_and_the_last_word_on_it_counts(
    case, record_outcome, import_outcomes, rows
):
    first = case(1)
    resent_case = case(1, size_mm=20.0)
    record_outcome(first, YES)
    record_outcome(resent_case, replace(YES, malignant=False))
    assert import_outcomes().added == 1
    assert (rows()[0].malignant, rows()[0].size_mm) == (False, 20.0)
    record_outcome(first, NO)
    assert [withdrawn.image_sha256 for withdrawn in import_outcomes().withdrawn] == [
        sha(1)
    ]


def test_a_new_image_of_a_frozen_patient_goes_where_the_patient_is(
    case, record_outcome, import_outcomes, rows, ledger
):
    with ledger.system_session("test") as system:
        dataset = system.datasets.ensure("set")
        patient = system.pseudonyms.pseudonymise("17")
        system.drafts.add(
            dataset,
            [LabelledImage(sha(9), False, Split.TEST, patient=patient, site="north")],
        )
    freeze(ledger)
    record_outcome(case(1), YES)
    record_outcome(case(2, "south"), YES, "south")
    import_outcomes()
    assert {row.image_sha256: row.split for row in rows()} == {
        sha(1): "test",
        sha(2): "train",
        sha(9): "test",
    }


def test_an_imported_image_is_left_as_it_is_and_a_contradiction_reported(
    case, record_outcome, import_outcomes, rows, ledger
):
    imported = [
        LabelledImage(sha(1), True, Split.TRAIN),
        LabelledImage(sha(2), False, Split.TRAIN),
    ]
    imported = [
        replace(image, site="north", size_mm=CASE.size_mm) for image in imported
    ]
    with ledger.system_session("test") as system:
        system.drafts.add(system.datasets.ensure("set"), imported)
    for number in (1, 2):
        record_outcome(case(number), replace(YES, patient=None))
    import_outcomes = import_outcomes()
    assert (
        import_outcomes.added,
        import_outcomes.known,
        [refused.reason.code for refused in import_outcomes.refused],
    ) == (
        0,
        1,
        ["label-differs"],
    )
    assert rows() == imported


def test_a_case_whose_image_could_not_be_read_is_refused_with_the_reason(
    case, record_outcome, import_outcomes, ledger
):
    first_case = case(1)
    with ledger.system_session("test") as system:
        hospital = system.hospitals.ensure("north")
    with ledger.hospital_session(hospital, "test") as session:
        session.jobs.create(first_case, Priority.ROUTINE)
    with ledger.engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE jobs SET state = 'failed', reason = 'image-unreadable'"
        )
    record_outcome(first_case, YES)
    (refused,) = import_outcomes().refused
    assert (refused.reason.code, "image-unreadable" in str(refused.reason)) == (
        "case-failed",
        True,
    )
