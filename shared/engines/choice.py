"""Chooses the engine of a process. This is the only place that knows all engines."""

from shared.engines.eager import EagerEngine
from shared.engines.port import Engine


def open_engine() -> Engine:
    """Return the best engine for this machine.

    It is cheap to open, so a caller without an engine may open its own.
    """
    return EagerEngine()
