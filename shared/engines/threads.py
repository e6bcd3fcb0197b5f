"""How many cores the passes of a thread may use."""

import torch


def fix_thread_count() -> None:
    """Fix the number for the calling thread at what the process may use, before another thread limits its own."""
    torch.get_num_threads()


def limit_threads(count: int) -> None:
    """Let the passes that the calling thread makes use `count` cores."""
    torch.set_num_threads(count)
