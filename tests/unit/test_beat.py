"""How often each queue is rung."""

import pytest

from services.beat.__main__ import ring
from shared.queueing.app import Tasks
from shared.settings import Settings

SETTINGS = Settings(ring_every_s=3, audit_seal_every_s=300, sweep_every_s=60)


@pytest.mark.parametrize(("task", "every_s"), [(Tasks.RING, 3), (Tasks.SEAL, 300), (Tasks.SWEEP, 60)])
def test_a_ring_that_nobody_took_is_void_when_the_next_one_comes(task, every_s):
    told = ring(task, SETTINGS)
    assert (told["task"], told["schedule"], told["options"]["expires"]) == (task, every_s, every_s)
