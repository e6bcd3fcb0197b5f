"""Queries the name, version and time of the broker."""

from dataclasses import dataclass

from shared.errors import Unavailable
from shared.queueing.app import celery_app, redis_client
from shared.queueing.notifier import BROKER_ERRORS


@dataclass(frozen=True)
class BrokerFacts:
    """The product's name and version, and the broker's clock in seconds since 1970.

    Valkey also reports a Redis version for compatibility; `version` is its own.
    """

    name: str
    version: str
    now_s: float


def broker_facts(url: str) -> BrokerFacts:
    """Raises Unavailable."""
    try:
        with celery_app(url).connection_for_write() as connection:
            client = redis_client(connection)
            server = client.info("server")
            seconds, microseconds = client.time()
    except BROKER_ERRORS as error:
        raise Unavailable(service="The broker") from error
    name = server.get("server_name", "redis")
    version = server.get(f"{name}_version", server["redis_version"])
    return BrokerFacts(name=name, version=version, now_s=seconds + microseconds / 1e6)
