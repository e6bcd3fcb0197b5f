"""How a process without an HTTP port says that it is ready."""

from shared.observability.logs import log
from shared.settings import Settings


def announce(settings: Settings) -> None:
    """Touch the file the supervisor waits for, where one is named."""
    if settings.ready_file:
        settings.ready_file.touch()
    log().info("process.ready")
