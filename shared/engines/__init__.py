"""Engines run the forward passes of networks, behind one port."""

from shared.engines.choice import ENGINES, open_engine
from shared.engines.eager import EagerEngine
from shared.engines.port import CompiledNetwork, Engine, Features, Images, Precision
from shared.engines.threads import fix_thread_count, limit_threads

__all__ = [
    "ENGINES",
    "CompiledNetwork",
    "EagerEngine",
    "Engine",
    "Features",
    "Images",
    "Precision",
    "fix_thread_count",
    "limit_threads",
    "open_engine",
]
