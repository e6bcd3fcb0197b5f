"""Waiting until the workers serve a newly promoted model."""

import time
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console

WAIT_S = 60.0
ASK_S = 0.5


@dataclass(frozen=True)
class Swap:
    """How the workers took a model. `done` where every worker that is there serves it."""

    done: bool
    serving: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    refused: list[dict[str, Any]] = field(default_factory=list)

    @property
    def told(self) -> dict[str, Any]:
        return {
            "serving": self.serving,
            "waiting": self.waiting,
            "refused": self.refused,
        }

    def lines(self) -> list[str]:
        """What an operator has to know, and to do."""
        lines = [
            f"{each['worker']} refuses it: {each['message']} [{each['code']}]"
            for each in self.refused
        ]
        if self.refused:
            lines.append(
                "The model that served before goes on serving there. Go back: ./sera models "
                "rollback"
            )
        if self.waiting:
            lines.append(
                f"Not yet served by {', '.join(self.waiting)}. Look again: ./sera models list"
            )
        if self.serving:
            lines.append(f"Served by {', '.join(self.serving)}.")
        return lines or ["No worker runs at present; the first to start will serve it."]


def wait_for_workers(
    api: Any, digest: str, console: Console, wait_s: float = WAIT_S
) -> Swap:
    """Ask until every worker that is there serves the model or refuses it, for at most `wait_s`."""
    until = time.monotonic() + wait_s
    with console.status("Waiting for the workers to load and prove it ..."):
        while True:
            swap = of_workers(api.get("/v1/workers"), digest)
            if not swap.waiting or time.monotonic() > until:
                return swap
            time.sleep(ASK_S)


def of_workers(workers: list[dict[str, Any]], digest: str) -> Swap:
    """Sort the workers by what they do with the model."""
    serving = [each["worker"] for each in workers if each["model"] == digest]
    others = [each for each in workers if each["model"] != digest]
    refused = [
        {"worker": each["worker"], **each["refused"]}
        for each in others
        if each["refused"] and each["refused"]["model"] == digest
    ]
    refusing = {each["worker"] for each in refused}
    waiting = [each["worker"] for each in others if each["worker"] not in refusing]
    return Swap(not waiting and not refused, serving, waiting, refused)
