"""Reports the progress of a step to the ledger while the step is running."""

import threading
import time
from collections.abc import Mapping

from shared.domain.messages import Message
from shared.errors import SeraError, Unavailable
from shared.ledger import Ledger
from shared.ledger.training.steps import ClaimedStep
from shared.observability.logs import log

REPORT_EVERY_S = 0.5


class StepLost(SeraError):
    code = "step-lost"
    text = (
        "The step is no longer this trainer's: its run was cancelled, or another trainer has "
        "taken it up."
    )


class TrainerClosing(SeraError):
    code = "closing"
    text = "The trainer is stopping."


class StepReporter:
    """A `shared.learning.ProgressCallback` that writes to the ledger.

    Training figures are always written, plain progress only from time to time. If the database is
    unavailable for a moment, the figures are kept and written later, so that hours of work are not
    lost.
    """

    def __init__(
        self, step: ClaimedStep, ledger: Ledger, actor: str, closing: threading.Event
    ) -> None:
        self._step = step
        self._ledger = ledger
        self._actor = actor
        self._closing = closing
        self._reported_at = float("-inf")
        self._pending: list[tuple[float, Message, Mapping[str, float]]] = []

    def __call__(
        self,
        stage: str,
        fraction: float,
        message: Message,
        metrics: Mapping[str, float],
    ) -> None:
        """Raises StepLost if another trainer has the step, TrainerClosing if this one must stop."""
        if self._closing.is_set():
            raise TrainerClosing
        if "loss" in metrics:
            self._pending.append((fraction, message, metrics))
        elif time.monotonic() - self._reported_at < REPORT_EVERY_S:
            return
        self._reported_at = time.monotonic()
        try:
            self._report(fraction, message)
        except Unavailable as error:
            log().warning(
                "step.untold",
                run=str(self._step.run_id),
                step=self._step.name,
                problem=str(error),
            )

    def _report(self, fraction: float, message: Message) -> None:
        reports = self._pending or [(fraction, message, {})]
        with self._ledger.system_session(self._actor) as session:
            for report in reports:
                is_ours = session.steps.report_progress(
                    self._step.token, self._step.kind, *report
                )
                if not is_ours:
                    raise StepLost
        self._pending.clear()
