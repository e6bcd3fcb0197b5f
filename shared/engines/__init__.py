"""What runs the forward passes of networks, behind one port."""

from shared.engines.choice import open_engine
from shared.engines.eager import EagerEngine
from shared.engines.port import CompiledNetwork, Engine, Features, Images, Precision
from shared.engines.threads import limit_threads, fix_thread_count

__all__ = [
    "CompiledNetwork",
    "EagerEngine",
    "Engine",
    "Features",
    "Images",
    "Precision",
    "limit_threads",
    "open_engine",
    "fix_thread_count",
]
