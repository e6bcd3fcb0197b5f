"""Logs as events: JSON lines with dotted names and bound ids, and no data of a patient."""

import logging
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any

import structlog
from structlog.typing import Processor

log = structlog.get_logger


def _stderr_logger(*_: object) -> structlog.PrintLogger:
    """A logger of the present stderr, which tests exchange."""
    return structlog.PrintLogger(sys.stderr)


def configure_stderr() -> None:
    """Write events as JSON lines to stderr: before `configure`, and in commands.

    JSON in ASCII holds no control character, so that nothing foreign in an event reaches a
    terminal.
    """
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.NOTSET),
        logger_factory=_stderr_logger,
        cache_logger_on_first_use=False,
    )


configure_stderr()


def configure(service: str, level: str = "INFO", **bound_fields: str) -> None:
    """Write JSON lines to stdout; log records of libraries are written in the same format.

    Each line carries the service's name and `bound_fields`, in every thread.
    """
    processors: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        _bind_fields({"service": service, **bound_fields}),
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=processors,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(formatter)
    logging.basicConfig(handlers=[handler], level=level, force=True)
    # A line for every notification would hide our own events.
    logging.getLogger("celery").setLevel(logging.WARNING)
    # httpx2 logs whole URLs.
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    structlog.configure(
        processors=[
            *processors,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def _bind_fields(fields: Mapping[str, str]) -> Processor:
    def bind(
        logger: object, method: str, event: MutableMapping[str, Any]
    ) -> Mapping[str, Any]:
        return {**fields, **event}

    return bind
