"""What a broker says of itself."""

from dataclasses import dataclass

from shared.errors import Unavailable
from shared.queueing.app import celery_app, redis_client
from shared.queueing.notifier import BROKER_ERRORS


@dataclass(frozen=True)
class BrokerFacts:
    """`now` in seconds since 1970, by the broker's own clock; `version` as Redis counts, `name` who it is."""

    name: str
    version: str
    now: float


def broker_facts(url: str) -> BrokerFacts:
    """Raises Unavailable."""
    try:
        with celery_app(url).connection_for_write() as connection:
            client = redis_client(connection)
            told = client.info("server")
            seconds, microseconds = client.time()
    except BROKER_ERRORS as lost:
        raise Unavailable(service="The broker") from lost
    name = told.get("server_name", "redis")
    return BrokerFacts(
        name,
        told.get(f"{name}_version", told["redis_version"]),
        seconds + microseconds / 1e6,
    )
