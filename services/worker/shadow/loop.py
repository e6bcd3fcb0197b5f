"""Opens shadow evaluation while a shadow runs, and closes it when that has ended.

The process loads PyTorch when a shadow starts and not before. When the shadow has ended the process replaces
itself, so that it costs little memory where no shadow runs.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from shared.ledger import Ledger
from shared.ledger.models.shadows import Shadow

if TYPE_CHECKING:
    from services.worker.shadow.service import ShadowService

ACTOR = "shadow"


class ShadowSupervisor:
    """Opens a desk when a shadow runs, and closes it when that has ended."""

    def __init__(
        self,
        ledger: Ledger,
        open_desk: "Callable[[Shadow], ShadowService]",
        begin_anew: Callable[[], None],
    ) -> None:
        self._ledger = ledger
        self._open_desk = open_desk
        self._begin_anew = begin_anew
        self._desk: ShadowService | None = None
        self._closing = False

    def work(self) -> None:
        """Read what waits for the shadow that runs, until nothing does or it is ended."""
        while not self._closing and (shadow := self._running()):
            if self._desk is None or self._desk.shadow.id != shadow.id:
                self._desk = None  # the one before goes before the next one comes
                self._desk = self._open_desk(shadow)
            if not self._desk.read_next():
                return
        if self._desk and not self._closing:
            self._desk = None
            self._begin_anew()

    def close(self) -> None:
        """Take nothing more; safe from a signal handler."""
        self._closing = True

    def _running(self) -> Shadow | None:
        with self._ledger.system_session(ACTOR) as session:
            return session.shadows.current()
