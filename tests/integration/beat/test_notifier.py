import pytest
from structlog.testing import capture_logs

from services.beat.notifier import PeriodicNotifier
from shared.queueing import Queues, celery_app
from shared.queueing.app import Tasks

PERIODS_S = {Tasks.INFER: 3.0, Tasks.SEAL: 300.0}
NOTIFIED_QUEUES = (Queues.INFERENCE, Queues.AUDIT)


@pytest.fixture
def app(engines):
    """With empty queues, because other tests notify too."""
    app = celery_app(engines.broker_url)
    purge_all(app)
    yield app
    purge_all(app)


def purge_all(app):
    for queue in Queues:
        purge(app, queue)


def purge(app, queue):
    """Returns the number of messages that waited."""
    with app.connection_for_write() as connection:
        return connection.default_channel.queue_purge(queue)


def count_messages(app, queue):
    with app.connection_for_write() as connection:
        return connection.default_channel.queue_declare(queue).message_count


def test_notifications_that_nobody_consumes_do_not_pile_up(app):
    notifier = PeriodicNotifier(app, PERIODS_S)
    for now in (0, 4, 8):
        notifier.notify_due(now)
    assert [count_messages(app, queue) for queue in NOTIFIED_QUEUES] == [1, 1]


def test_each_queue_has_its_own_period(app):
    notifier = PeriodicNotifier(app, PERIODS_S)
    times_by_queue = {queue: [] for queue in NOTIFIED_QUEUES}
    for now in (0, 2, 4, 290, 301):
        notifier.notify_due(now)
        for queue in NOTIFIED_QUEUES:
            times_by_queue[queue] += [now] * purge(app, queue)
    assert times_by_queue[Queues.INFERENCE] == [0, 4, 290, 301]
    assert times_by_queue[Queues.AUDIT] == [0, 301]


def test_a_broker_that_is_away_costs_one_notification_and_no_more(tmp_path):
    app = celery_app(f"redis+socket://{tmp_path}/none.sock")
    notifier = PeriodicNotifier(app, {Tasks.INFER: 3.0})
    with capture_logs() as events:
        notifier.notify_due(0)
    assert [event["event"] for event in events] == ["bell.lost"]
