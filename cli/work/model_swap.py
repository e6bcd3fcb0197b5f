"""Waits until the workers serve a newly promoted model."""

import time
from dataclasses import dataclass, field
from typing import Any

from cli.connection import ApiClient
from cli.output.terminal import Console

TIMEOUT_S = 60.0
POLL_S = 0.5


@dataclass(frozen=True)
class SwapReport:
    """The workers that serve a model, the workers that still load it, and the workers that refuse
    it.
    """

    complete: bool
    """Whether every present worker serves the model."""
    serving: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    refused: list[dict[str, Any]] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        return {
            "serving": self.serving,
            "waiting": self.waiting,
            "refused": self.refused,
        }

    def lines(self) -> list[str]:
        """Return sentences for the operator, with the next step if one is needed."""
        lines = [
            f"{refusal['worker']} refuses it: {refusal['message']} [{refusal['code']}]"
            for refusal in self.refused
        ]
        if self.refused:
            lines.append(
                "The model that served before goes on serving there. Go back: ./sera "
                "models rollback"
            )
        if self.waiting:
            lines.append(
                f"Not yet served by {', '.join(self.waiting)}. Look again: ./sera models list"
            )
        if self.serving:
            lines.append(f"Served by {', '.join(self.serving)}.")
        return lines or ["No worker runs at present; the first to start will serve it."]


def wait_for_workers(
    api: ApiClient, digest: str, console: Console, wait_s: float = TIMEOUT_S
) -> SwapReport:
    """Poll until every present worker serves or refuses the model, for at most `wait_s` seconds."""
    deadline = time.monotonic() + wait_s
    with console.status("Waiting for the workers to load and prove it ..."):
        while True:
            report = report_of_workers(api.get_list("/v1/workers"), digest)
            if not report.waiting or time.monotonic() > deadline:
                return report
            time.sleep(POLL_S)


def report_of_workers(workers: list[dict[str, Any]], digest: str) -> SwapReport:
    """Sort the workers into serving, waiting and refusing workers."""
    serving: list[str] = []
    waiting: list[str] = []
    refused: list[dict[str, Any]] = []
    for worker in workers:
        name = worker["worker"]
        refusal = worker["refused"]
        if worker["model"] == digest:
            serving.append(name)
        elif refusal and refusal["model"] == digest:
            refused.append({"worker": name, **refusal})
        else:
            waiting.append(name)
    return SwapReport(
        complete=not waiting and not refused,
        serving=serving,
        waiting=waiting,
        refused=refused,
    )
