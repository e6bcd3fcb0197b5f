import threading
from datetime import timedelta

import pytest

from services.trainer.progress import StepLost, StepReporter, TrainerClosing
from shared.domain.messages import Message
from shared.ledger import Ledger

HALF = Message("progress-epoch", {"epoch": 2, "epochs": 4})


@pytest.fixture
def step(request_run, ledger):
    """The claimed plan step of a run."""
    request_run("light")
    with ledger.system_session("test") as session:
        return session.steps.claim("me", timedelta(minutes=1), 3)


def make_reporter(step, ledger):
    return StepReporter(step, ledger, "trainer", threading.Event())


def losses(ledger, step):
    with ledger.system_session("test") as session:
        return [
            event.metrics["loss"]
            for event in session.runs.events(step.run_id)
            if "loss" in event.metrics
        ]


def test_every_epoch_is_reported_and_plain_progress_only_now_and_then(step, ledger):
    report = make_reporter(step, ledger)
    for epoch in range(3):
        report("tuning", epoch / 10, HALF, {"loss": 1 / (epoch + 1)})
    report("tuning", 0.9, HALF, {})
    assert losses(ledger, step) == [1, 1 / 2, 1 / 3]
    with ledger.system_session("test") as session:
        assert session.runs.steps(step.run_id)[0].fraction == pytest.approx(0.2)


def test_figures_from_while_the_database_was_away_are_reported_later(step, ledger):
    report = make_reporter(
        step, Ledger("postgresql+psycopg2://nobody@127.0.0.1:1/none")
    )
    report("tuning", 0.1, HALF, {"loss": 0.5})
    report._ledger = ledger
    report("tuning", 0.2, HALF, {"loss": 0.4})
    assert losses(ledger, step) == [0.5, 0.4]


def test_a_lost_step_or_a_closing_trainer_ends_the_work(step, ledger):
    with ledger.system_session("test") as session:
        session.runs.cancel(step.run_id)
    with pytest.raises(StepLost):
        make_reporter(step, ledger)("tuning", 0.5, HALF, {})
    closing = threading.Event()
    closing.set()
    with pytest.raises(TrainerClosing):
        StepReporter(step, ledger, "trainer", closing)("tuning", 0.5, HALF, {})
