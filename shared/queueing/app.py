"""The Celery app that all services share. Messages only notify; the jobs are in the ledger."""

from enum import StrEnum
from typing import TYPE_CHECKING, cast

from celery import Celery
from celery.signals import setup_logging
from kombu import Connection
from redis import Redis

if TYPE_CHECKING:
    from kombu.transport.redis import Channel


class Queues(StrEnum):
    INFERENCE = "inference"
    TRAIN = "train"
    EXPLAIN = "explain"
    SHADOW = "shadow"
    INTERACTIVE = "interactive"
    AUDIT = "audit"


class Tasks(StrEnum):
    INFER = "inference.ring"
    EXPLAIN = "explain.ring"
    TRAIN = "train.ring"
    SHADOW = "shadow.ring"
    OUTLINE = "outline.ring"
    SEAL = "audit.seal"
    SWEEP = "retention.sweep"


def celery_app(broker_url: str) -> Celery:
    """Make the app; it connects at its first use."""
    setup_logging.connect(_leave_logging_alone)
    app = Celery("sera", broker=broker_url, set_as_current=False)
    app.conf.update(
        task_ignore_result=True,
        task_routes={
            Tasks.INFER: Queues.INFERENCE,
            Tasks.EXPLAIN: Queues.EXPLAIN,
            Tasks.TRAIN: Queues.TRAIN,
            Tasks.SHADOW: Queues.SHADOW,
            Tasks.OUTLINE: Queues.INTERACTIVE,
            Tasks.SEAL: Queues.AUDIT,
            Tasks.SWEEP: Queues.AUDIT,
        },
        task_create_missing_queues=True,
        task_serializer="json",
        accept_content=["json"],
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_send_task_events=False,
        worker_enable_remote_control=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_connection_timeout=2,
        broker_transport_options={
            "socket_connect_timeout": 2,
            "socket_timeout": 5,
            "retry_policy": {"max_retries": 0},
        },
        enable_utc=True,
    )
    return app


def redis_client(connection: Connection) -> Redis:
    """The Redis client behind a kombu connection.

    kombu declares only what all its brokers have in common, hence the cast.
    """
    channel = cast("Channel", connection.default_channel)
    client: Redis = channel.client
    return client


def _leave_logging_alone(**_: object) -> None:
    """Celery sets up logging unless this signal has a receiver; `logs.configure` has done so."""
