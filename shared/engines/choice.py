"""Chooses the engine of a process. This is the only place that knows all engines."""

from shared.engines.eager import EagerEngine
from shared.engines.port import Engine

ENGINES: tuple[type[Engine], ...] = (EagerEngine,)
"""All engines. `tests/unit/engines/test_port.py` tests each of them."""


def open_engine() -> Engine:
    """Return the best engine for this machine.

    Opening an engine is cheap, so every caller may open one.
    """
    return EagerEngine()
