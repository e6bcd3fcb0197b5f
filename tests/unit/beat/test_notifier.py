"""How often each queue is rung."""

import pytest

from services.beat.__main__ import pace
from shared.queueing.app import Tasks
from shared.settings import Settings

SETTINGS = Settings(ring_every_s=3, audit_seal_every_s=300, sweep_every_s=60)


@pytest.mark.parametrize(
    ("task", "every_s"),
    [(Tasks.INFER, 3), (Tasks.TRAIN, 3), (Tasks.SEAL, 300), (Tasks.SWEEP, 60)],
)
def test_each_task_has_its_own_pace(task, every_s):
    assert pace(task, SETTINGS) == every_s
