"""Announces that a process without an HTTP port is ready."""

from shared.observability.logs import log
from shared.settings import Settings


def announce(settings: Settings) -> None:
    """Touch the file that the supervisor waits for, if the settings name one."""
    if settings.ready_file:
        settings.ready_file.touch()
    log().info("process.ready")
