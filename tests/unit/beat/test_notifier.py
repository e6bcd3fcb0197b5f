"""How often beat notifies each queue."""

import pytest

from services.beat.__main__ import period_s
from shared.queueing.app import Tasks
from shared.settings import Settings

SETTINGS = Settings(ring_every_s=3, audit_seal_every_s=300, sweep_every_s=60)


@pytest.mark.parametrize(
    ("task", "expected_s"),
    [(Tasks.INFER, 3), (Tasks.TRAIN, 3), (Tasks.SEAL, 300), (Tasks.SWEEP, 60)],
)
def test_each_task_has_its_own_period(task, expected_s):
    assert period_s(task, SETTINGS) == expected_s
