"""Limits the number of cores that the forward passes of a thread use."""

import torch


def fix_thread_count() -> None:
    """Fix the calling thread's number of cores at the number of the process.

    It must be called before another thread limits its own.
    """
    torch.get_num_threads()


def limit_threads(count: int) -> None:
    """Limit the passes of the calling thread to `count` cores."""
    torch.set_num_threads(count)
