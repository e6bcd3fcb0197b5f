import threading
from datetime import timedelta

import pytest

from services.trainer.progress import TrainerClosing, StepReporter, StepLost
from shared.domain.messages import Message
from shared.ledger import Ledger

HALF = Message("progress-epoch", {"epoch": 2, "epochs": 4})


@pytest.fixture
def step(ask, ledger):
    """The plan of a run, claimed."""
    ask("light")
    with ledger.system_session("test") as house:
        return house.steps.claim("me", timedelta(minutes=1), 3)


def reporter(step, ledger):
    return StepReporter(step, ledger, "trainer", threading.Event())


def losses(ledger, step):
    with ledger.system_session("test") as house:
        return [
            event.metrics["loss"]
            for event in house.runs.events(step.run_id)
            if "loss" in event.metrics
        ]


def test_every_epoch_is_told_and_how_far_it_is_not_more_often_than_one_can_look(
    step, ledger
):
    tell = reporter(step, ledger)
    for epoch in range(3):
        tell("tuning", epoch / 10, HALF, {"loss": 1 / (epoch + 1)})
    tell("tuning", 0.9, HALF, {})
    assert losses(ledger, step) == [1, 1 / 2, 1 / 3]
    with ledger.system_session("test") as house:
        assert house.runs.steps(step.run_id)[0].fraction == pytest.approx(0.2)


def test_what_could_not_be_told_while_the_database_was_away_is_told_later(step, ledger):
    tell = reporter(step, Ledger("postgresql+psycopg2://nobody@127.0.0.1:1/none"))
    tell("tuning", 0.1, HALF, {"loss": 0.5})
    tell._ledger = ledger
    tell("tuning", 0.2, HALF, {"loss": 0.4})
    assert losses(ledger, step) == [0.5, 0.4]


def test_a_step_that_is_another_s_or_whose_trainer_stops_goes_no_further(step, ledger):
    with ledger.system_session("test") as house:
        house.runs.cancel(step.run_id)
    with pytest.raises(StepLost):
        reporter(step, ledger)("tuning", 0.5, HALF, {})
    closing = threading.Event()
    closing.set()
    with pytest.raises(TrainerClosing):
        StepReporter(step, ledger, "trainer", closing)("tuning", 0.5, HALF, {})
