"""Logs as events: JSON lines with dotted names and bound ids. Nothing of a patient is ever bound."""

import logging
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any

import structlog
from structlog.typing import Processor

log = structlog.get_logger


def configure(service: str, level: str = "INFO", **named: str) -> None:
    """Write JSON lines to stdout; libraries' own records go the same way.

    Each line names the service and what else is `named`, whichever thread writes it.
    """
    stamps: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        _naming({"service": service, **named}),
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=stamps,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(formatter)
    logging.basicConfig(handlers=[handler], level=level, force=True)
    logging.getLogger("celery").setLevel(
        logging.WARNING
    )  # a line for every ring would bury our own
    logging.getLogger("httpx2").setLevel(
        logging.WARNING
    )  # it writes down whole addresses
    structlog.configure(
        processors=[*stamps, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def _naming(names: Mapping[str, str]) -> Processor:
    def name(
        logger: object, method: str, event: MutableMapping[str, Any]
    ) -> Mapping[str, Any]:
        return {**names, **event}

    return name
