"""Runs shadow evaluation while a shadow is active, and restarts the process when it has ended.

The process loads PyTorch only when a shadow starts. After the shadow it restarts itself, so that it
uses little memory while no shadow runs.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from shared.ledger import Ledger
from shared.ledger.models.shadows import Shadow

if TYPE_CHECKING:
    from services.worker.shadow.service import ShadowService

ACTOR = "shadow"


class ShadowSupervisor:
    """Opens a service for the running shadow, and closes it when the shadow has ended."""

    def __init__(
        self,
        ledger: Ledger,
        open_service: "Callable[[Shadow], ShadowService]",
        restart_process: Callable[[], None],
    ) -> None:
        self._ledger = ledger
        self._open_service = open_service
        self._restart_process = restart_process
        self._service: ShadowService | None = None
        self._closing = False

    def work(self) -> None:
        """Process results for the current shadow until none waits or the shadow has ended."""
        while not self._closing and (shadow := self._current_shadow()):
            if self._service is None or self._service.shadow.id != shadow.id:
                # Release the previous model before the next one is loaded.
                self._service = None
                self._service = self._open_service(shadow)
            if not self._service.read_next():
                return
        if self._service and not self._closing:
            self._service = None
            self._restart_process()

    def close(self) -> None:
        """Claim nothing more; safe from a signal handler."""
        self._closing = True

    def _current_shadow(self) -> Shadow | None:
        with self._ledger.system_session(ACTOR) as session:
            return session.shadows.current()
