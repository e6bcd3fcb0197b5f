from hypothesis import given
from hypothesis import strategies as st

from shared.domain.jobs import FINAL, MOVES, JobState, origins
from shared.domain.roles import HOSPITAL_ROLES, MAY, Act, Role, needed_for

STATES = st.sampled_from(JobState)


@given(STATES, STATES)
def test_a_job_comes_to_a_state_exactly_from_where_the_table_lets_it(earlier, later):
    assert (earlier in origins(later)) == (later in MOVES[earlier])


@given(STATES)
def test_no_state_moves_to_itself_and_done_is_for_ever(state):
    assert state not in origins(state)
    assert JobState.DONE not in origins(state)


def test_every_state_has_its_moves_and_only_final_ones_may_rest():
    assert set(MOVES) == set(JobState)
    assert {
        state
        for state in JobState
        if JobState.DONE not in MOVES[state] and state is not JobState.QUEUED
    } == FINAL


def test_hospital_roles_never_operate_and_operators_never_read_cases():
    assert all(Act.OPERATE not in MAY[role] for role in HOSPITAL_ROLES)
    assert Act.READ not in MAY[Role.OPERATOR]
    assert needed_for(Act.OPERATE) == "operator"
