"""Where networks run."""

import torch


def compute_device() -> torch.device:
    """The first CUDA device this process may see, else the CPU; CUDA_VISIBLE_DEVICES gives each worker its own."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def device_name() -> str:
    """That device as people know it: a GPU by its name, the CPU with the threads that PyTorch gives it."""
    if compute_device().type == "cuda":
        return f"CUDA, {torch.cuda.get_device_name()}"
    threads = torch.get_num_threads()
    return f"CPU, {threads} thread{'s' if threads > 1 else ''}"
