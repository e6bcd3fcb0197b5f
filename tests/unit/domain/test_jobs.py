from hypothesis import given
from hypothesis import strategies as st

from shared.domain.jobs import FINAL_STATES, TRANSITIONS, JobState, source_states
from shared.domain.roles import (
    HOSPITAL_ROLES,
    PERMISSIONS,
    Permission,
    Role,
    roles_with,
)

STATES = st.sampled_from(JobState)


@given(STATES, STATES)
def test_a_job_comes_to_a_state_exactly_from_where_the_table_lets_it(source, target):
    assert (source in source_states(target)) == (target in TRANSITIONS[source])


@given(STATES)
def test_no_state_moves_to_itself_and_done_is_for_ever(state):
    assert state not in source_states(state)
    assert JobState.DONE not in source_states(state)


def test_every_state_has_its_moves_and_only_final_ones_may_rest():
    assert set(TRANSITIONS) == set(JobState)
    assert {
        state
        for state in JobState
        if JobState.DONE not in TRANSITIONS[state] and state is not JobState.QUEUED
    } == FINAL_STATES


def test_hospital_roles_never_operate_and_operators_never_read_cases():
    assert all(Permission.OPERATE not in PERMISSIONS[role] for role in HOSPITAL_ROLES)
    assert Permission.READ not in PERMISSIONS[Role.OPERATOR]
    assert roles_with(Permission.OPERATE) == "operator"
