"""Every operation of the OpenAPI document with made-up requests: a short run of `python -m
trials.fuzz api`."""

import pytest

from shared.domain.roles import Role
from tests.support.app import create_app
from tests.support.http_server import at_an_address
from trials.fuzz.api import fuzz_api

SEED = 20
EXAMPLES = 1


@pytest.fixture
def address(settings):
    with at_an_address(
        create_app(settings.model_copy(update={"long_poll_max_s": 0.1}))
    ) as url:
        yield url


@pytest.mark.filterwarnings("default")  # of the fuzzing's own libraries
@pytest.mark.parametrize(
    "role",
    [
        Role.OPERATOR,
        pytest.param(Role.HOSPITAL_ADMIN, marks=pytest.mark.long),
        pytest.param(Role.SUBMITTER, marks=pytest.mark.long),
    ],
)
def test_answers_are_as_documented_and_never_a_fault_of_the_server(
    address, make_key, role
):
    report = fuzz_api(address, make_key(role), SEED, EXAMPLES, edges=False)
    assert report.faults == {}
    assert len(report.operations) > 50
    assert report.requests > 60
