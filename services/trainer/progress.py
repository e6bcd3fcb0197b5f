"""What a step says of itself while it is being done."""

import threading
import time
from collections.abc import Mapping

from shared.domain.messages import Message
from shared.errors import SeraError, Unavailable
from shared.ledger import Ledger
from shared.ledger.training.steps import ClaimedStep
from shared.observability.logs import log

TOLD_EVERY_S = 0.5


class StepLost(SeraError):
    code = "step-lost"
    text = "The step is no longer this trainer's: its run was cancelled, or another trainer has taken it up."


class Closing(SeraError):
    code = "closing"
    text = "The trainer is stopping."


class Reporter:
    """A `shared.learning.Progress` that writes to the ledger: figures always, how far it is now and then.

    A database that is away for a moment must not cost hours of work, so what could not be told is told later.
    """

    def __init__(
        self, step: ClaimedStep, ledger: Ledger, actor: str, closing: threading.Event
    ) -> None:
        self._step = step
        self._ledger = ledger
        self._actor = actor
        self._closing = closing
        self._told_at = float("-inf")
        self._untold: list[tuple[float, Message, Mapping[str, float]]] = []

    def __call__(
        self,
        stage: str,
        fraction: float,
        message: Message,
        metrics: Mapping[str, float],
    ) -> None:
        """Raises StepLost where another has the step, Closing where the trainer is to stop."""
        if self._closing.is_set():
            raise Closing
        if "loss" in metrics:
            self._untold.append((fraction, message, metrics))
        elif time.monotonic() - self._told_at < TOLD_EVERY_S:
            return
        self._told_at = time.monotonic()
        try:
            self._tell(fraction, message)
        except Unavailable as away:
            log().warning(
                "step.untold",
                run=str(self._step.run_id),
                step=self._step.name,
                problem=str(away),
            )

    def _tell(self, fraction: float, message: Message) -> None:
        with self._ledger.system_session(self._actor) as session:
            for said in self._untold or [(fraction, message, {})]:
                if not session.steps.report_progress(self._step.token, self._step.kind, *said):
                    raise StepLost
        self._untold.clear()
