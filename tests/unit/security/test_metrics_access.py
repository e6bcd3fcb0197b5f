"""Who may read the metrics of a process."""

import pytest

from shared.security.metrics_access import MetricsAccess
from shared.settings import Settings

KEY = "k" * 16


@pytest.mark.parametrize(
    ("facts", "host", "is_open"),
    [
        ({}, "127.0.0.1", True),
        ({}, "localhost", True),
        ({}, "::1", True),
        ({}, "0.0.0.0", False),
        ({}, "192.0.2.1", False),
        ({"production": True}, "127.0.0.1", False),
        ({"metrics_key": KEY}, "127.0.0.1", False),
    ],
)
def test_metrics_are_open_only_on_this_machine_outside_of_production(
    facts, host, is_open
):
    assert MetricsAccess(Settings(**facts), host).is_open is is_open


@pytest.mark.parametrize(
    ("authorization", "has_key"),
    [
        (f"Bearer {KEY}", True),
        (f"bearer  {KEY} ", True),
        (None, False),
        ("", False),
        (KEY, False),
        ("Bearer ", False),
        (f"Basic {KEY}", False),
        (f"Bearer {KEY}k", False),
        ("Bearer \u00e9", False),
    ],
)
def test_only_the_key_itself_as_a_bearer_token_is_accepted(authorization, has_key):
    access = MetricsAccess(Settings(metrics_key=KEY), "0.0.0.0")
    assert access.has_key(authorization) is has_key


def test_without_a_key_in_the_settings_no_token_is_one():
    access = MetricsAccess(Settings(production=True), "127.0.0.1")
    assert not any(map(access.has_key, ("Bearer ", "Bearer None", "")))
