import pytest
from structlog.testing import capture_logs

from services.beat.notifier import PeriodicNotifier
from shared.queueing import Queues, celery_app
from shared.queueing.app import Tasks


@pytest.fixture
def app(engines):
    """With empty queues: other tests ring too."""
    made = celery_app(engines.broker_url)
    empty(made)
    yield made
    empty(made)


def empty(app):
    with app.connection_for_write() as line:
        for queue in Queues:
            line.default_channel.queue_purge(queue)


def waiting(app, queue):
    with app.connection_for_write() as line:
        return line.default_channel.queue_declare(queue).message_count


def test_rings_that_nobody_hears_do_not_pile_up(app):
    bell = PeriodicNotifier(app, {Tasks.INFER: 3.0, Tasks.SEAL: 300.0})
    for now in (0, 4, 8):
        bell.round(now)
    assert [waiting(app, queue) for queue in (Queues.INFERENCE, Queues.AUDIT)] == [1, 1]


def test_each_queue_has_a_pace_of_its_own(app):
    bell = PeriodicNotifier(app, {Tasks.INFER: 3.0, Tasks.SEAL: 300.0})
    heard = []
    for now in (0, 2, 4, 290, 301):
        bell.round(now)
        for queue in (Queues.INFERENCE, Queues.AUDIT):
            with app.connection_for_write() as line:
                heard += [(now, queue)] * line.default_channel.queue_purge(queue)
    assert [now for now, queue in heard if queue is Queues.INFERENCE] == [
        0,
        4,
        290,
        301,
    ]
    assert [now for now, queue in heard if queue is Queues.AUDIT] == [0, 301]


def test_a_broker_that_is_away_costs_a_ring_and_no_more(tmp_path):
    bell = PeriodicNotifier(celery_app(f"redis+socket://{tmp_path}/none.sock"), {Tasks.INFER: 3.0})
    with capture_logs() as told:
        bell.round(0)
    assert [each["event"] for each in told] == ["bell.lost"]
