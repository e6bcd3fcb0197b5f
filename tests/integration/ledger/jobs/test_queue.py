from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import text

from shared.domain.audit.events import Event
from shared.domain.jobs import JobState, Priority, Reason
from shared.ledger.jobs.dead_letters import NotADeadLetter
from shared.ledger.jobs.lease import Failure
from shared.ledger.jobs.queue import QueueStatus
from shared.ledger.models.promotions import LivePromotion
from tests.support.builders import result

LEASE = timedelta(minutes=5)
EXPIRED = timedelta(seconds=-1)
ATTEMPTS = 3
DIGEST = "d" * 64


def claim(ledger, max_jobs=10, lease=LEASE, attempts=ATTEMPTS, worker="w1", busy=False):
    with ledger.system_session(worker) as system:
        return system.queue.claim(worker, max_jobs, lease, attempts, busy)


def events(ledger):
    with ledger.system_session("test") as system:
        return [event.event for event in system.audit.page()]


def test_urgent_goes_before_routine_and_older_before_newer(ledger, submit):
    first = submit()
    second = submit()
    urgent = submit(priority=Priority.URGENT)
    assert [job.id for job in claim(ledger).jobs] == [urgent, first, second]


def test_a_hospital_with_few_cases_is_not_kept_waiting_by_one_with_many(ledger, submit):
    flood = [submit("flooding") for _ in range(20)]
    single = submit("quiet")
    claimed = [job.id for job in claim(ledger, max_jobs=4).jobs]
    assert single in claimed
    assert set(claimed) - {single} == set(flood[:3])


def test_a_hospital_whose_cases_already_run_gives_way(ledger, submit):
    for _ in range(8):
        submit("flooding")
    claim(ledger, max_jobs=4)
    quiet = [submit("quiet") for _ in range(2)]
    assert {job.id for job in claim(ledger, max_jobs=2).jobs} == set(quiet)


def test_claims_made_at_the_same_time_never_share_a_job(ledger, submit):
    jobs = {submit(f"h{number % 3}") for number in range(40)}
    with ThreadPoolExecutor(8) as pool:
        leases = list(
            pool.map(lambda n: claim(ledger, max_jobs=5, worker=f"w{n}"), range(16))
        )
    claimed = [job.id for lease in leases for job in lease.jobs]
    assert len(claimed) == len(set(claimed))
    while lease := claim(ledger):
        claimed += [job.id for job in lease.jobs]
    assert sorted(claimed) == sorted(jobs)


def test_a_job_whose_lease_ran_out_is_claimed_again_alone_and_counts_an_attempt(
    ledger, submit
):
    jobs = {submit() for _ in range(3)}
    claim(ledger, lease=EXPIRED)
    repeated_leases = [claim(ledger) for _ in range(3)]
    assert [len(lease.jobs) for lease in repeated_leases] == [1, 1, 1]
    assert {lease.jobs[0].id for lease in repeated_leases} == jobs
    assert all(lease.jobs[0].attempts == 2 for lease in repeated_leases)


def test_a_job_that_outlives_every_attempt_becomes_a_dead_letter_that_an_operator_can_run_again(
    ledger, submit, state_of
):
    job = submit()
    for _ in range(ATTEMPTS):
        assert claim(ledger, lease=EXPIRED)
    assert not claim(ledger)
    assert state_of(job) is JobState.FAILED
    with ledger.system_session("operator") as system:
        assert system.dead_letters.rerun(job)
    assert claim(ledger).jobs[0].attempts == 1
    assert events(ledger)[-3:] == [Event.JOB_FAILED, Event.JOB_RERUN, Event.JOB_CLAIMED]


def test_only_a_dead_letter_can_be_run_again(ledger, submit):
    job = submit()
    with (
        pytest.raises(NotADeadLetter, match="queued"),
        ledger.system_session("operator") as system,
    ):
        system.dead_letters.rerun(job)


def test_a_result_is_written_once_with_its_state_and_event(ledger, submit, state_of):
    job = submit()
    lease = claim(ledger)
    with ledger.system_session("w1") as system:
        assert system.queue.finish(lease.token, DIGEST, {job: result(risk=0.5)}) == {
            job
        }
    with ledger.system_session("w1") as system:
        assert (
            system.queue.finish(lease.token, DIGEST, {job: result(risk=0.9)}) == set()
        )
    assert state_of(job) is JobState.DONE
    assert events(ledger).count(Event.JOB_DONE) == 1


def test_a_worker_that_lost_its_lease_writes_nothing(ledger, submit):
    job = submit()
    slow = claim(ledger, lease=EXPIRED)
    quick = claim(ledger, worker="w2")
    with ledger.system_session("w1") as system:
        assert system.queue.finish(slow.token, DIGEST, {job: result(risk=0.1)}) == set()
    with ledger.system_session("w2") as system:
        assert system.queue.finish(quick.token, DIGEST, {job: result(risk=0.2)}) == {
            job
        }
    with ledger.system_session("test") as system:
        hospital = system.hospitals.ensure("north")
    with ledger.hospital_session(hospital, "test") as session:
        assert session.jobs.find(job).result.risk == 0.2


def test_a_renewed_lease_does_not_run_out(ledger, submit):
    submit()
    lease = claim(ledger, lease=EXPIRED)
    with ledger.system_session("w1") as system:
        system.queue.renew([lease.token], LEASE)
    assert not claim(ledger, worker="w2")


def test_a_worker_that_comes_back_takes_up_what_it_left_at_once(ledger, submit):
    job = submit()
    claim(ledger, worker="w1")
    with ledger.system_session("w1") as system:
        assert system.queue.reclaim(ATTEMPTS, lost_worker="w1") == 1
    assert claim(ledger).jobs[0].id == job


def test_a_failed_job_keeps_its_reason(ledger, submit):
    job = submit()
    lease = claim(ledger)
    with ledger.system_session("w1") as system:
        system.queue.fail(
            lease.token,
            {
                job: Failure(
                    "image-unreadable", {"format": "PNG", "problem": "cut short"}
                )
            },
        )
        hospital = system.hospitals.ensure("north")
    with ledger.hospital_session(hospital, "test") as session:
        found = session.jobs.find(job)
    assert (found.state, found.reason, found.facts) == (
        JobState.FAILED,
        "image-unreadable",
        {"format": "PNG", "problem": "cut short"},
    )


def test_a_job_given_back_waits_its_delay_and_loses_no_attempt(ledger, submit):
    job = submit()
    lease = claim(ledger)
    with ledger.system_session("w1") as system:
        system.queue.give_back(lease.token, [job], timedelta(minutes=1))
    assert not claim(ledger)
    with ledger.system_session("test") as system:
        assert system.queue.depth() == {"queued": 1, "running": 0}


def test_attempts_end_with_the_reason_worker_lost(ledger, submit):
    job = submit()
    claim(ledger, lease=EXPIRED, attempts=1)
    claim(ledger, attempts=1)
    with ledger.system_session("test") as system:
        hospital = system.hospitals.ensure("north")
    with ledger.hospital_session(hospital, "test") as session:
        assert session.jobs.find(job).reason == Reason.WORKER_LOST


def test_a_job_that_outlived_a_worker_comes_to_none_that_is_busy_and_is_not_passed_over(
    ledger, submit
):
    suspect = submit()
    claim(ledger, lease=EXPIRED)
    fresh = submit()
    assert not claim(ledger, busy=True)
    lease = claim(ledger, busy=False)
    assert [job.id for job in lease.jobs] == [suspect]
    assert lease.suspect
    following = claim(ledger, busy=True)
    assert [job.id for job in following.jobs] == [fresh]
    assert not following.suspect


def test_whatever_is_claimed_beside_a_poisonous_image_is_answered_once_and_no_dead_letter(
    ledger, submit, state_of
):
    """Each worker that takes the poison is lost with all it has in hand, what it took ahead too."""
    jobs = [submit() for _ in range(6)]
    poison = jobs[2]
    done = []
    for _ in range(50):
        lost_jobs = []
        while lease := claim(ledger, max_jobs=3, attempts=2, busy=bool(lost_jobs)):
            lost_jobs.append(lease)
            if lease.suspect or len(lost_jobs) == 2:
                break
        if not lost_jobs:
            break
        if poison in [job.id for lease in lost_jobs for job in lease.jobs]:
            with ledger.system_session("w1") as system:
                system.queue.reclaim(2, lost_worker="w1")
            continue
        for lease in lost_jobs:
            with ledger.system_session("w1") as system:
                done += system.queue.finish(
                    lease.token, DIGEST, {job.id: result() for job in lease.jobs}
                )
    assert sorted(done) == sorted({*jobs} - {poison})
    assert {state_of(job) for job in done} == {JobState.DONE}
    assert state_of(poison) is JobState.FAILED


def test_the_status_names_what_there_is_to_claim_and_what_is_live(ledger, submit):
    def status():
        with ledger.system_session("test") as session:
            return session.queue.status()

    assert status() == QueueStatus(
        live=None, expired=False, suspect=False, queued=False
    )
    assert status().is_empty
    submit()
    assert status() == QueueStatus(live=None, expired=False, suspect=False, queued=True)
    claim(ledger, lease=EXPIRED)
    assert status() == QueueStatus(live=None, expired=True, suspect=False, queued=False)
    with ledger.system_session("test") as session:
        session.queue.reclaim(ATTEMPTS)
        session.models.store(
            digest=DIGEST,
            name="small",
            recipe="small",
            run_id=None,
            synthetic=True,
            metrics={},
        )
        session.models.promote(DIGEST, "test", "asked for by a test")
    live = LivePromotion(digest=DIGEST, number=1)
    assert status() == QueueStatus(live=live, expired=False, suspect=True, queued=False)
    lease = claim(ledger)
    with ledger.system_session("test") as session:
        session.queue.give_back(lease.token, [lease.jobs[0].id], timedelta(minutes=1))
    assert status().is_empty, "it may not be claimed yet"


def put_ahead(ledger, table, *columns):
    """Make times what they are if the clock was ahead by a day, and was set back since."""
    changes = ", ".join(f"{column} = {column} + interval '1 day'" for column in columns)
    with ledger.engine.begin() as connection:
        connection.execute(text(f"UPDATE {table} SET {changes}"))


JOB_TIMES = ("created_at", "queued_at", "available_at", "updated_at")


def test_jobs_of_a_clock_that_was_ahead_do_not_wait_for_that_time(ledger, submit):
    job = submit()
    put_ahead(ledger, "jobs", *JOB_TIMES)
    assert [claimed.id for claimed in claim(ledger).jobs] == [job]


def test_a_lease_of_a_clock_that_was_ahead_ends_unless_it_is_renewed(ledger, submit):
    job = submit()
    lost = claim(ledger, worker="lost")
    put_ahead(ledger, "jobs", *JOB_TIMES, "lease_until")
    with ledger.system_session("w") as system:
        system.queue.renew([lost.token], timedelta(seconds=20))
        assert system.backlog.count_expired() == 0
    assert not claim(ledger, worker="other")
    put_ahead(ledger, "jobs", "lease_until")
    with ledger.system_session("w") as system:
        assert system.backlog.count_expired() == 1
    assert [claimed.id for claimed in claim(ledger, worker="other").jobs] == [job]
