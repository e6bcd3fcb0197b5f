"""Which engine a process uses. A new engine is chosen here, and nowhere else."""

from shared.engines.eager import EagerEngine
from shared.engines.port import Engine


def open_engine() -> Engine:
    """The best engine for this machine; cheap, so a caller that was handed none may open its own."""
    return EagerEngine()
