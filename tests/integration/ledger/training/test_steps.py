from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from shared.domain.messages import Message
from shared.domain.training.states import (
    RUN_TRANSITIONS,
    RunState,
    Split,
    StepKind,
    StepState,
)
from shared.ledger.datasets.repository import LabelledImage
from shared.ledger.training.runs import RunNotCancellable, RunNotResumable
from shared.ledger.training.steps import NewStep

LEASE = timedelta(minutes=5)
EXPIRED = timedelta(seconds=-1)
HALF = Message("progress-fold", {"fold": 2, "folds": 4})
MISSING = Message("weights-missing", {"files": "vgg16.pth"})
DIAMOND = (
    NewStep("a", StepKind.FEATURES),
    NewStep("b1", StepKind.FOLD, prerequisites=("a",)),
    NewStep("b2", StepKind.FOLD, prerequisites=("a",)),
    NewStep("c", StepKind.BUNDLE, prerequisites=("b1", "b2")),
)


@pytest.fixture
def ask(ledger):
    """Asks for a run of one image."""

    def request():
        with ledger.system_session("test") as system:
            dataset = system.datasets.ensure("set")
            system.datasets.add(dataset, [LabelledImage("a" * 64, True, Split.TRAIN)])
            return system.runs.request(
                dataset, system.versions.freeze(dataset).id, "light", 0
            )

    return request


@pytest.fixture
def run(ledger, ask):
    """A run whose plan is a diamond: a, then b1 and b2, then c."""
    run_id = ask()
    with ledger.system_session("t") as system:
        step = system.steps.claim("me", LEASE, 3)
        assert system.steps.finish(step.token, {}, DIAMOND) == 1
    return run_id


def claim(ledger, owner="me", lease=LEASE):
    with ledger.system_session("t") as system:
        return system.steps.claim(owner, lease, 3)


def finish(ledger, step, **outcome):
    with ledger.system_session("t") as system:
        return system.steps.finish(step.token, outcome)


def test_a_step_waits_for_those_before_it_and_two_trainers_share_the_rest(ledger, run):
    first = claim(ledger)
    assert first.name == "a"
    assert claim(ledger, "other") is None
    assert finish(ledger, first) == 2
    left = claim(ledger)
    right = claim(ledger, "other")
    assert {left.name, right.name} == {"b1", "b2"}
    assert finish(ledger, left) == 0
    assert finish(ledger, right) == 1
    assert finish(ledger, claim(ledger)) == 0
    with ledger.system_session("t") as system:
        assert system.runs.find(run).state is RunState.DONE


def test_two_last_steps_that_end_at_once_end_the_run(ledger, ask):
    for _ in range(8):
        run_id = ask()
        with ledger.system_session("t") as system:
            plan = system.steps.claim("me", LEASE, 3)
            system.steps.finish(
                plan.token, {}, [NewStep("x", StepKind.FIT), NewStep("y", StepKind.FIT)]
            )
        steps = [claim(ledger), claim(ledger)]
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda step: finish(ledger, step), steps))
        with ledger.system_session("t") as system:
            assert system.runs.find(run_id).state is RunState.DONE


def test_a_step_is_claimed_by_one_of_many(ledger, run):
    finish(ledger, claim(ledger))
    with ThreadPoolExecutor(6) as pool:
        claimed = [
            step
            for step in pool.map(lambda name: claim(ledger, str(name)), range(6))
            if step
        ]
    assert sorted(step.name for step in claimed) == ["b1", "b2"]


def test_a_lost_step_comes_back_with_one_attempt_more_and_its_old_owner_can_write_nothing(
    ledger, run
):
    lost_lease = claim(ledger, lease=EXPIRED)
    second_lease = claim(ledger, "other")
    assert (second_lease.name, second_lease.attempts) == ("a", 2)
    with ledger.system_session("t") as system:
        assert not system.steps.report_progress(lost_lease.token, "features", 0.5, HALF)
        assert system.steps.finish(lost_lease.token, {}) is None
        system.steps.fail(lost_lease.token, Message("x"))
        assert system.runs.find(run).state is RunState.RUNNING


def test_a_step_given_back_has_lost_no_attempt(ledger, run):
    step = claim(ledger)
    with ledger.system_session("t") as system:
        system.steps.give_back(step.token, timedelta())
    assert claim(ledger).attempts == 1


def test_a_failed_step_fails_its_run_and_no_other_is_taken_up(ledger, run):
    finish(ledger, claim(ledger))
    step = claim(ledger)
    with ledger.system_session("t") as system:
        system.steps.fail(step.token, MISSING)
    assert claim(ledger) is None
    with ledger.system_session("t") as system:
        failed = system.runs.find(run)
        assert (failed.state, failed.reason, failed.message) == (
            RunState.FAILED,
            "weights-missing",
            MISSING,
        )
        assert system.runs.resume(run)
    assert {claim(ledger).name, claim(ledger).name} == {"b1", "b2"}


def test_a_run_is_as_far_as_its_steps_are_together_and_keeps_the_figures_of_epochs(
    ledger, run
):
    finish(ledger, claim(ledger), images=7)
    step = claim(ledger)
    with ledger.system_session("t") as system:
        assert system.steps.report_progress(
            step.token, "fold", 0.5, HALF, {"loss": 0.7, "epoch": 2}
        )
        found = system.runs.find(run)
        events = system.runs.events(run)
        assert found.fraction == pytest.approx(1.5 / 4)
        assert (found.stage, found.message) == ("fold", HALF)
        assert [(event.step, event.metrics) for event in events] == [
            ("plan", {}),
            ("a", {"images": 7}),
            ("b1", {"loss": 0.7, "epoch": 2}),
        ]
        assert system.runs.events(run, last_id=events[1].id) == events[2:]


def test_what_has_ended_is_neither_cancelled_nor_resumed_unless_it_may(ledger, run):
    with ledger.system_session("t") as system:
        assert system.runs.cancel(run)
    with pytest.raises(RunNotCancellable), ledger.system_session("t") as system:
        system.runs.cancel(run)
    with ledger.system_session("t") as system:
        assert system.runs.resume(run)
    while step := claim(ledger):
        finish(ledger, step)
    with pytest.raises(RunNotResumable), ledger.system_session("t") as system:
        system.runs.resume(run)


def test_the_oldest_run_comes_first_and_a_free_trainer_takes_the_next(ledger, run, ask):
    younger = ask()
    assert (claim(ledger).name, claim(ledger).run_id) == ("a", younger)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.lists(
        st.sampled_from(
            ["claim", "finish", "fail", "lose", "give back", "cancel", "resume"]
        ),
        max_size=14,
    )
)
def test_a_run_moves_only_as_the_table_says(ledger, ask, acts):
    run_id = ask()
    held_steps = []
    last_state = RunState.QUEUED
    for act in acts:
        with ledger.system_session("t") as system:
            _act(system, act, run_id, held_steps)
        with ledger.system_session("t") as system:
            now = system.runs.find(run_id).state
            states = {step.state for step in system.runs.steps(run_id)}
        assert now is last_state or now in RUN_TRANSITIONS[last_state], (
            last_state,
            act,
            now,
        )
        assert (now is RunState.DONE) == (states == {StepState.DONE})
        last_state = now
    with ledger.system_session("t") as system:
        if last_state in (RunState.QUEUED, RunState.RUNNING):
            system.runs.cancel(run_id)


def _act(system, act, run_id, held_steps):
    if act == "claim":
        held_steps += [step for step in [system.steps.claim("me", LEASE, 9)] if step]
    elif act == "cancel" and system.runs.find(run_id).state in (
        RunState.QUEUED,
        RunState.RUNNING,
    ):
        system.runs.cancel(run_id)
    elif act == "resume" and system.runs.find(run_id).state in (
        RunState.FAILED,
        RunState.CANCELLED,
    ):
        system.runs.resume(run_id)
    elif act == "lose":
        system.steps.reclaim(9, ["me"])
    elif held_steps:
        step = held_steps.pop(0)
        if act == "finish":
            system.steps.finish(
                step.token, {}, DIAMOND if step.kind is StepKind.PLAN else ()
            )
        elif act == "fail":
            system.steps.fail(step.token, Message("no"))
        else:
            system.steps.give_back(step.token, timedelta())


def put_ahead(ledger, *columns):
    """Make times what they are if the clock was ahead by a day, and was set back since."""
    changes = ", ".join(f"{column} = {column} + interval '1 day'" for column in columns)
    with ledger.engine.begin() as connection:
        connection.execute(text(f"UPDATE run_steps SET {changes}"))


def test_steps_of_a_clock_that_was_ahead_do_not_wait_for_that_time(ledger, run):
    put_ahead(ledger, "available_at")
    assert claim(ledger).name == "a"


def test_a_lease_of_a_clock_that_was_ahead_ends_unless_it_is_renewed(ledger, run):
    lost = claim(ledger, owner="lost")
    put_ahead(ledger, "available_at", "started_at", "lease_until")
    with ledger.system_session("t") as system:
        system.steps.renew([lost.token], timedelta(seconds=20))
    assert claim(ledger, owner="other") is None
    put_ahead(ledger, "lease_until")
    assert claim(ledger, owner="other").name == "a"
